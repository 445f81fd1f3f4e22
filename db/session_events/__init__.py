"""The durable roster of connections, and what happened to them: events in commit order."""
