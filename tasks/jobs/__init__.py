"""The job queue, seen from a handler."""
