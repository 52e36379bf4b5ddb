"""The checks, one module per code. The docstring of a check is its page."""
