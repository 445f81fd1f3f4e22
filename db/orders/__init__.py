"""Orders: stock taken atomically, a status machine with history, live updates through the outbox."""
