"""Presence of users beside that of connections: what they say about themselves, and when they were last active."""
