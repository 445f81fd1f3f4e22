"""Exports: one snapshot, files, a manifest last."""
