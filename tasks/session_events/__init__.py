"""Session events reach the application."""
