"""Segmentation metrics with exact counts, and cheap signals of a collapse."""
