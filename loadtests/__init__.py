"""How fast is it? Load clients, benchmarks beside a peer in the same run, and the Locust scenarios.

These are clients: of our own code they import only `actors.protocol`. Start at README.md in this folder.
"""
