"""Processes that host shards: placement, and nothing else. Any kind of shard may live in any host."""
