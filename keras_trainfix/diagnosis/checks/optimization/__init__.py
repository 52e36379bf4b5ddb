"""Checks of learning rate, penalties and training time."""
