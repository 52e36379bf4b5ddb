"""Checks of weights, activations and gradients."""
