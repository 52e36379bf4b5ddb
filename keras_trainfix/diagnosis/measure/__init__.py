"""Numbers in pure NumPy: skill, learnability, kernels, permutation tests."""
