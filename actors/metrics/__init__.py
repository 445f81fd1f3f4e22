"""Metrics of all processes, merged: each process pushes snapshots of its registry, one shard adds them up."""
