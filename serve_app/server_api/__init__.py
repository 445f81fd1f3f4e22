"""The realtime server API over HTTP: `POST /api/<method>` with `X-API-Key`, in the shapes that server SDKs send."""
