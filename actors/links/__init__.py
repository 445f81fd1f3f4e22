"""The ordered stream between a process and a shard: `link` is the process's end, `stream` the shard's."""
