"""What is wrong with a model that does not learn, found and named."""
