"""Two-step sign-in: an authenticator app and its recovery codes."""
