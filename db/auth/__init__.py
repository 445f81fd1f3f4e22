"""Accounts, login sessions, refresh families, API keys, roles and permissions, organisations."""
