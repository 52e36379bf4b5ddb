"""The treatments, one module per part of a training. Importing one registers it."""
