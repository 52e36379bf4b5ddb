"""The checks, a module a family. The docstring of a check is its documentation."""
