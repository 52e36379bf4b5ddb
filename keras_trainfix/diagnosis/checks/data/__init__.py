"""Checks of inputs and targets."""
