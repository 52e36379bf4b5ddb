"""`CollapseDetector`: its hooks, its decisions and its rescues."""
