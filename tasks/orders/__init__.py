"""Orders in the background."""
