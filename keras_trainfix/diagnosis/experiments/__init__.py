"""Experiments: what is measured of a model by doing something to it."""
