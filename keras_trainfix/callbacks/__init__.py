"""Callbacks: what watches over `fit`."""
