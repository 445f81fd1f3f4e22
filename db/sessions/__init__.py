"""What the session shards ask the database: which connections may not live any more."""
