"""Checks of the answers: what a collapse looks like."""
