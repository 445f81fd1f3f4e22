"""One actor that sees to it that all others exist."""
