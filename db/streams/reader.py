"""Reading streams beyond what their owner keeps in memory: on other connections than its commits (rule 9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from db.session_events.boots import process_of
from db.streams.store import ANSWER_LIMIT_S, translated

CONNECTIONS: Final = 2
"""Per shard; reads queue for them. Counted in the connection budget (DESIGN §5, 25)."""

IDLE_S: Final = 60.0

_COLUMNS = 'SELECT "offset", data, attributes, time_ms FROM app.stream_publications WHERE channel = $1 '
_AFTER = _COLUMNS + 'AND "offset" > $2 AND expires_at > now() ORDER BY "offset" LIMIT $3'
_BEFORE = _COLUMNS + 'AND "offset" < $2 AND expires_at > now() ORDER BY "offset" DESC LIMIT $3'

_OWNERS = "SELECT bucket, shard FROM app.stream_buckets"
_CLEAR = 'DELETE FROM app.stream_publications WHERE channel = $1 AND "offset" <= $2'

_LIVING = "SELECT boot FROM app.session_hubs WHERE seen_at > now() - interval '15 seconds'"

_PRUNE = {
    "stream_publications": "DELETE FROM app.stream_publications WHERE ctid = ANY (ARRAY("
    "SELECT ctid FROM app.stream_publications WHERE expires_at < now() ORDER BY expires_at LIMIT $1))",
    "publication_keys": "DELETE FROM app.publication_keys WHERE ctid = ANY (ARRAY("
    "SELECT ctid FROM app.publication_keys WHERE expires_at < now() ORDER BY expires_at LIMIT $1))",
    # A head outlives its publications and a map's keys, or offsets would begin again beside old rows.
    "stream_heads": "DELETE FROM app.stream_heads WHERE ctid = ANY (ARRAY("
    "SELECT h.ctid FROM app.stream_heads h WHERE h.expires_at < now() AND NOT EXISTS ("
    "SELECT 1 FROM app.stream_publications p WHERE p.channel = h.channel) AND NOT EXISTS ("
    "SELECT 1 FROM app.map_keys k WHERE k.channel = h.channel) ORDER BY h.expires_at LIMIT $1))",
}


@dataclass(frozen=True, slots=True)
class StoredPublication:
    """One committed publication. `attributes` is JSON text or None."""

    offset: int
    data: bytes
    attributes: str | None
    time_ms: int


class StreamReader:
    """A few connections for recovery, history and pruning."""

    def __init__(self, dsn: str, *, application_name: str) -> None:
        self._dsn = dsn
        self._application_name = application_name
        self._pool: asyncpg.Pool[Any] | None = None

    async def close(self) -> None:
        """Close all connections."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def after(self, channel: str, offset: int, limit: int) -> list[StoredPublication]:
        """Publications with greater offsets, oldest first."""
        return [StoredPublication(*row) for row in await self._fetch(_AFTER, channel, offset, limit)]

    async def before(self, channel: str, offset: int, limit: int) -> list[StoredPublication]:
        """Publications with smaller offsets, newest first."""
        return [StoredPublication(*row) for row in await self._fetch(_BEFORE, channel, offset, limit)]

    async def owners(self) -> dict[int, int]:
        """Bucket → the shard that owns it; buckets that nobody has had are missing."""
        return {row[0]: row[1] for row in await self._fetch(_OWNERS)}

    async def clear(self, channel: str, top: int) -> None:
        """Delete a channel's publications up to `top`; epoch and offset stay. Doing it twice is harmless."""
        with translated():
            pool = await self._open()
            await pool.execute(_CLEAR, channel, top)

    async def prune(self, limit: int) -> int:
        """Delete what has expired, `limit` rows per table at most. Returns how many went."""
        gone = 0
        for statement in _PRUNE.values():
            with translated():
                pool = await self._open()
                gone += int((await pool.execute(statement, limit)).rpartition(" ")[2])
        return gone

    async def living_hubs(self) -> list[str]:
        """Boot ids of the processes whose hubs were alive a lease ago or later (`db.session_events`)."""
        return [process_of(row[0]) for row in await self._fetch(_LIVING)]

    async def _fetch(self, statement: str, *arguments: Any) -> Sequence[Any]:
        with translated():
            pool = await self._open()
            try:
                return await pool.fetch(statement, *arguments)
            except (asyncpg.InterfaceError, asyncpg.PostgresConnectionError, ConnectionError):
                # The pool handed out a connection that died while idle; reading again is harmless.
                return await pool.fetch(statement, *arguments)

    async def _open(self) -> "asyncpg.Pool[Any]":
        if self._pool is None:
            pool = asyncpg.create_pool(
                self._dsn,
                min_size=0,
                max_size=CONNECTIONS,
                max_inactive_connection_lifetime=IDLE_S,
                timeout=ANSWER_LIMIT_S,
                command_timeout=ANSWER_LIMIT_S,
                server_settings={"application_name": self._application_name, "jit": "off"},
            )
            self._pool = await pool
        return self._pool
