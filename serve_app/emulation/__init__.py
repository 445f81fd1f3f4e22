"""Commands of emulated realtime sessions that arrive at `api`: the address that SDKs use by default."""
