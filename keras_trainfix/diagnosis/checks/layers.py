"""Empty: its checks are in modules named for what they look at."""
