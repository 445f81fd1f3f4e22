"""The rules of channels in a running process: read at start, and again when their file changes."""
