"""Passkeys: the caller's own, and signing in with one."""
