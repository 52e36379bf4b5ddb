"""What only an experiment shows."""
