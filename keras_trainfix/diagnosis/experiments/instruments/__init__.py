"""The instruments, one module per question. See `instrument`."""
