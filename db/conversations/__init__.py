"""Conversations, their participants, messages and read positions."""
