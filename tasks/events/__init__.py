"""Domain events reach their subscribers."""
