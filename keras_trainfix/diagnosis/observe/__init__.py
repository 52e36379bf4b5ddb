"""What a model and its samples are: observed once, judged elsewhere."""
