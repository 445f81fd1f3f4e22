"""The realtime application: connections, and the hub that owns them in one replica.

`connection` decides (sans I/O), `hub` moves bytes and calls brokers, `permits` holds the permission model,
`handlers` what an application may add, `timers` the one timer wheel of the process.
"""
