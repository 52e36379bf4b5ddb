"""Losses for labels with void pixels."""
