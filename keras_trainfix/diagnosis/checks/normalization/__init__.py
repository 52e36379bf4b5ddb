"""Checks of normalization and freezing."""
