"""The analytics stream."""
