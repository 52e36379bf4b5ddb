"""Metrics of segmentation, counted exactly, and cheap signals of a collapse."""
