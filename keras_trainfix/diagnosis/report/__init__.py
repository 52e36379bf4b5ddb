"""A diagnosis as text, HTML and plots."""
