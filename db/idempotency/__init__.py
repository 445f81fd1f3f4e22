"""Answers remembered under an Idempotency-Key, in the same transaction as what they answer."""
