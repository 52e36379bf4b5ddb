"""A few training steps at several learning rates, then everything is put back."""
