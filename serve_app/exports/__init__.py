"""Exports over HTTP: request, follow, cancel, download."""
