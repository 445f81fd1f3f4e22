"""The figures on the first page."""
