"""What a hub writes to the roster: group commits on one connection of its own, and the end of hubs that went silent.

Plain asyncpg, as for durable streams: one statement with arrays per commit (DESIGN D14). Calls must not overlap.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from db.connection import connect
from db.jobs.queue import new_job_id

ANSWER_LIMIT_S: Final = 3.0
STATEMENT_TIMEOUT_MS: Final = 2_500

_LOST: Final = "MB004"

_BEGIN: Final = "INSERT INTO app.session_hubs (boot) VALUES ($1) ON CONFLICT DO NOTHING"
_RECORD: Final = "SELECT app.record_sessions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
_BEAT: Final = "UPDATE app.session_hubs SET beat = beat + 1, seen_at = now() WHERE boot = $1 RETURNING 1"
_HUBS: Final = "SELECT boot, beat FROM app.session_hubs"
_EXPIRE: Final = "SELECT * FROM app.expire_session_hub($1, $2, $3, $4)"


class RosterUnreachable(Exception):
    """The database did not answer: whether it was written is not known, and repeating the same batch is safe."""


class LeaseLost(Exception):
    """This boot id is over: everybody in it has left. What lives on takes a new boot id."""


@dataclass(frozen=True, slots=True)
class Change:
    """A connection (channel '') or a connection in a channel comes or goes. `wanted`: see `db.session_events.kinds`."""

    enters: bool
    client: str
    channel: str
    user: str
    session: str
    wanted: int
    at_ms: int
    code: int = 0
    conn_info: bytes = b""
    chan_info: bytes = b""


@dataclass(frozen=True, slots=True)
class Departed:
    """Somebody who left a channel because the hub is gone."""

    client: str
    channel: str
    user: str
    conn_info: bytes
    chan_info: bytes


class RosterStore:
    """One hub's connection to the roster."""

    def __init__(self, dsn: str, *, application_name: str) -> None:
        self._dsn = dsn
        self._application_name = application_name
        self._connection: Any = None

    async def begin(self, boot: str) -> None:
        """Put a hub on the roster. From here on its beat is watched."""
        await self._ask(_BEGIN, boot)

    async def record(self, boot: str, batch: int, changes: Sequence[Change]) -> int:
        """Commit changes with their events, once per (boot, batch). Returns how many events. Raises LeaseLost."""
        rows = await self._ask(
            _RECORD,
            boot,
            batch,
            new_job_id(),
            [change.enters for change in changes],
            [change.client for change in changes],
            [change.channel for change in changes],
            [change.user for change in changes],
            [change.session for change in changes],
            [change.wanted for change in changes],
            [change.code for change in changes],
            [change.at_ms for change in changes],
            [change.conn_info or None for change in changes],
            [change.chan_info or None for change in changes],
        )
        return int(rows[0][0])

    async def beat(self, boot: str) -> None:
        """A sign of life. Raises LeaseLost when it comes too late."""
        if not await self._ask(_BEAT, boot):
            raise LeaseLost(boot)

    async def hubs(self) -> dict[str, int]:
        """Every hub on the roster and its beat."""
        return {row[0]: row[1] for row in await self._ask(_HUBS)}

    async def expire(self, boot: str, beat: int | None, code: int) -> list[Departed]:
        """End a hub whose beat is still this one; None: in any case. Whoever deletes the rows reports the leaves."""
        rows = await self._ask(_EXPIRE, boot, beat, code, new_job_id())
        return [Departed(row[0], row[1], row[2], row[3] or b"", row[4] or b"") for row in rows]

    async def close(self) -> None:
        """Give the connection up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _ask(self, statement: str, *arguments: str | int | UUID | Sequence[Any] | None) -> list[Any]:
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                if self._connection is None or self._connection.is_closed():
                    self._connection = await connect(
                        self._dsn,
                        self._application_name,
                        statement_timeout_ms=STATEMENT_TIMEOUT_MS,
                        answer_limit_s=ANSWER_LIMIT_S,
                    )
                rows: list[Any] = await self._connection.fetch(statement, *arguments)
                return rows
        except asyncpg.PostgresError as error:
            if error.sqlstate == _LOST:
                raise LeaseLost(str(error)) from error
            await self.close()
            raise RosterUnreachable(repr(error)) from error
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            await self.close()
            raise RosterUnreachable(repr(error)) from error
        except asyncio.CancelledError:
            # The driver would wait for the server; whoever comes next begins with a new connection.
            await self.close()
            raise
