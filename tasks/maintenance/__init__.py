"""Partitions made ahead of need, and what is old removed."""
