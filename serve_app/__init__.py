"""What can a client ask, and what does it hear back?

Runs in Serve replicas: the `api` application (FastAPI) and the `realtime` application (hubs). May hold a connection or
a request, nothing that must outlive them. Never imports `tasks`: background work starts by enqueuing a row.
"""
