"""The `mobula` command. One module per subject; `main` puts them together."""
