"""The checks, a module a concept. The docstring of a check is its documentation."""
