"""Checks of the head, the loss and the labels."""
