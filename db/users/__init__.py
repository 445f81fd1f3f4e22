"""Reading, finding, changing and removing accounts. Signing in is `db.auth`."""
