"""What the owner of channels writes: fenced group commits on one connection of its own.

Plain asyncpg instead of SQLAlchemy: a commit is one statement with arrays, and at tens of thousands of rows per second
every layer counts (DESIGN D14). Everything else about the rows is in migration 0002.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from db.connection import connect
from db.streams import maps
from db.streams.errors import AlreadyKnown, Ambiguous, Busy, Fenced, Refused, StaleHead

STATEMENT_TIMEOUT_MS: Final = 2_000
"""A statement that was cut off from its owner ends by then, or it would block the take-over (rule 8)."""

ANSWER_LIMIT_S: Final = 3.0
"""Our own deadline: beyond the server's, for when server or network do not answer at all."""

_LOST_CONNECTION = ("08", "57P", "25P03", "25P04", "25006")
"""The last: a server that takes no changes is a standby now, and a new connection may find the primary."""

_TRY_AGAIN = ("57014", "40P01", "40001", "55P03", "53", "58030")
"""The last two: no room, no memory, a disk that fails. It is the server's, not the publication's."""

_TAKE_SHARD = "SELECT * FROM app.take_shard($1, $2, $3, $4)"
_MOVE = "SELECT app.move_buckets($1, $2, $3, $4)"
_OPEN = "SELECT * FROM app.open_streams($1, $2, $3, $4, $5)"
_COMMIT = (
    "SELECT app.commit_publications($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, "
    "$17, $18, $19, $20)"
)
_COMMIT_WITH_KEYS = (
    f"{_COMMIT}, {maps.WRITE.format(', '.join(f'${number}' for number in range(21, 21 + len(maps.MapRow._fields))))}"
)
_COMMIT_OUTBOX = f"{_COMMIT_WITH_KEYS}, app.forget_outbox($1, $2, ${21 + len(maps.MapRow._fields)})"
_FIND = """
SELECT p.channel, p.publication_id, p."offset" FROM unnest($1::text[], $2::text[]) AS i(channel, id)
JOIN app.stream_publications p ON p.channel = i.channel AND p.publication_id = i.id
"""
_FIND_KEYS = """
SELECT k.channel, k.key, k.epoch, k."offset" FROM unnest($1::text[], $2::text[]) AS i(channel, key)
JOIN app.publication_keys k ON k.channel = i.channel AND k.key = i.key WHERE k.expires_at >= now()
"""


@dataclass(frozen=True, slots=True)
class Head:
    """A stream's identity and newest committed offset."""

    channel: str
    epoch: str
    top: int
    version: int
    version_epoch: str


@dataclass(slots=True)
class HeadChange:
    """How one commit moves a head: from `top`, where it must be, to `new`."""

    channel: str
    epoch: str
    top: int
    new: int
    version: int
    version_epoch: str
    meta_ttl_s: int


@dataclass(slots=True)
class Commit:
    """One group commit, in columns, as the statement wants it."""

    buckets: set[int] = field(default_factory=set)
    heads: list[HeadChange] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    attributes: list[str | None] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    ttls_s: list[int] = field(default_factory=list)
    keys: list[tuple[str, str, str, int]] = field(default_factory=list)
    """(channel, idempotency key, epoch, offset)."""
    map_keys: list[maps.MapRow] = field(default_factory=list)
    outbox: list[int] = field(default_factory=list)
    """Rows of the outbox that are done with once this is committed."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn driver and server errors into the errors of this package."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise _translate(error) from error
    except (OSError, TimeoutError, asyncpg.InterfaceError) as error:
        raise Ambiguous(repr(error)) from error


def _translate(error: asyncpg.PostgresError) -> Exception:
    state = error.sqlstate or ""
    if state == "MB001":
        return Fenced(str(error))
    if state == "MB002" or (state == "23505" and getattr(error, "constraint_name", "") == "pk_stream_publications"):
        return StaleHead(str(error))
    if state in ("MB003", "23505"):
        return AlreadyKnown(str(error))
    if not state or state.startswith(_LOST_CONNECTION):
        # A backend that is told to stop may have committed just before.
        return Ambiguous(repr(error))
    if state.startswith(_TRY_AGAIN):
        return Busy(repr(error))
    return Refused(repr(error))


class StreamStore:
    """One owner's connection. Calls must not overlap: the owner has one commit in flight (rule 9)."""

    def __init__(self, dsn: str, *, owner: str, application_name: str) -> None:
        self._dsn = dsn
        self._owner = owner
        self._application_name = application_name
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def connect(self) -> None:
        """Open the connection unless it is open. Raises Ambiguous when the server cannot be reached."""
        if self._connection is not None and not self._connection.is_closed():
            return
        with translated():
            self._connection = await connect(
                self._dsn,
                self._application_name,
                statement_timeout_ms=STATEMENT_TIMEOUT_MS,
                answer_limit_s=ANSWER_LIMIT_S,
            )

    def abandon(self) -> None:
        """Give the connection up without a word: its last statement's outcome is not known."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=1.0)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()

    async def take_shard(self, shard: int, defaults: Sequence[int], *, again: bool) -> tuple[int, dict[int, int]]:
        """Take all buckets of a shard, and those of `defaults` that nobody has had. Committed when it returns.

        Returns the fence and bucket → version. Heads must be read after it, never before (rule 8). `again`: Fenced when
        another incarnation of the shard has taken them. Waits for the last owner's statement, 2 s at most.
        """
        rows = await self._rows(_TAKE_SHARD, shard, self._owner, list(defaults), again)
        return (rows[0][1] if rows else 0), {row[0]: row[2] for row in rows}

    async def move(self, fence: int, buckets: Sequence[int], shard: int, owner: str) -> None:
        """Give buckets to an incarnation of another shard, all or none. Raises Fenced when one is not ours."""
        await self._value(_MOVE, fence, list(buckets), shard, owner)

    async def open(
        self, fence: int, buckets: Sequence[int], channels: Sequence[str], epochs: Sequence[str], ttls: Sequence[int]
    ) -> list[Head]:
        """Heads of these channels; those without one begin with the epoch given."""
        rows = await self._rows(_OPEN, fence, list(set(buckets)), list(channels), list(epochs), list(ttls))
        return [Head(*row) for row in rows]

    async def commit(self, fence: int, commit: Commit) -> None:
        """Commit all of it or nothing."""
        heads, keys = commit.heads, commit.keys
        statement, extra = _COMMIT, maps.columns(commit.map_keys)
        if commit.outbox:
            statement, extra = _COMMIT_OUTBOX, [*(extra or maps.NOTHING), commit.outbox]
        elif commit.map_keys:
            statement = _COMMIT_WITH_KEYS
        await self._value(
            statement,
            fence,
            list(commit.buckets),
            [head.channel for head in heads],
            [head.epoch for head in heads],
            [head.top for head in heads],
            [head.new for head in heads],
            [head.version for head in heads],
            [head.version_epoch for head in heads],
            [head.meta_ttl_s for head in heads],
            commit.channels,
            commit.offsets,
            commit.ids,
            commit.data,
            commit.attributes,
            commit.times_ms,
            commit.ttls_s,
            [key[0] for key in keys],
            [key[1] for key in keys],
            [key[2] for key in keys],
            [key[3] for key in keys],
            *extra,
        )

    async def map_keys(self, channels: Sequence[str]) -> list[maps.StoredKey]:
        """All keys of these maps."""
        return [maps.StoredKey(*row) for row in await self._rows(maps.LOAD, list(channels))]

    async def clear_map(self, fence: int, bucket: int, channel: str, epoch: str) -> None:
        """Forget a map's keys and stream; its head begins a new epoch at offset 0."""
        await self._value(maps.CLEAR, fence, [bucket], channel, epoch)

    async def find(self, channels: Sequence[str], ids: Sequence[str]) -> dict[tuple[str, str], int]:
        """Which of these publications are committed, and with which offsets."""
        rows = await self._rows(_FIND, list(channels), list(ids))
        return {(row[0], row[1]): row[2] for row in rows}

    async def find_keys(self, channels: Sequence[str], keys: Sequence[str]) -> dict[tuple[str, str], tuple[int, str]]:
        """What came of these idempotency keys: (channel, key) → (offset, epoch)."""
        rows = await self._rows(_FIND_KEYS, list(channels), list(keys))
        return {(row[0], row[1]): (row[3], row[2]) for row in rows}

    async def rows(self, statement: str, *arguments: Any) -> list[Any]:
        """Run another statement of the owner's, such as the relay's."""
        return await self._rows(statement, *arguments)

    async def _value(self, statement: str, *arguments: Any) -> Any:
        rows = await self._rows(statement, *arguments)
        return rows[0][0] if rows else None

    async def _rows(self, statement: str, *arguments: Any) -> list[Any]:
        connection = self._connection
        if connection is None:
            raise Ambiguous("no connection")
        with translated():
            try:
                return await connection.fetch(statement, *arguments)
            except ValueError as error:
                # A value that the driver cannot encode, such as a number beyond 64 bits: nothing was sent.
                raise Refused(repr(error)) from error
            except asyncio.CancelledError:
                # The driver would wait for the server; whoever comes next begins with a new connection.
                self.abandon()
                raise
