"""Notices to one person, stored and pushed on the personal channel."""
