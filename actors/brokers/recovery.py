"""What a subscriber missed, decided in one turn; and reading a stream's history."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from actors.brokers.channel import Channel
from actors.brokers.stored import encode_row
from db.streams.reader import StoredPublication

ANSWER_BYTES: Final = 5 * 1024 * 1024
"""Publications in one answer end here: a little more than what hubs pass on, 4 MiB of data."""

READS = 3
"""A stream that grows faster than it is read is given up after this many: the client starts from its top."""


class Reader(Protocol):
    """Reads of the database that go beyond memory."""

    async def after(self, channel: str, offset: int, limit: int) -> Sequence[StoredPublication]:
        """Publications with greater offsets, oldest first."""

    async def before(self, channel: str, offset: int, limit: int) -> Sequence[StoredPublication]:
        """Publications with smaller offsets, newest first."""


@dataclass(slots=True)
class Outcome:
    """`needs_database`: memory does not reach back far enough, the database may."""

    recovered: bool
    pubs: list[bytes] = field(default_factory=list)
    needs_database: bool = False


def recover(channel: Channel, epoch: str, offset: int, limit: int) -> Outcome:
    """Everything after (epoch, offset), or nothing: partial recovery is never delivered."""
    if (epoch and epoch != channel.epoch) or offset > channel.top or channel.top - offset > limit:
        return Outcome(recovered=False)
    if offset >= channel.ring.base:
        return _complete(channel.ring.after(offset))
    return Outcome(recovered=False, needs_database=channel.rules.durable)


def fitting(pubs: list[bytes], limit: int = ANSWER_BYTES) -> list[bytes]:
    """As many of the first publications as one answer may have; at least one."""
    size = 0
    for count, pub in enumerate(pubs):
        size += len(pub)
        if size > limit and count:
            return pubs[:count]
    return pubs


def _complete(pubs: list[bytes]) -> Outcome:
    """What was missed, unless no answer holds it."""
    fits = len(fitting(pubs)) == len(pubs)
    return Outcome(recovered=fits, pubs=pubs if fits else [])


def recover_latest(channel: Channel, epoch: str, offset: int) -> Outcome:
    """Cache mode: only the newest publication counts, and not even that if the client has it."""
    if epoch == channel.epoch and offset == channel.top and offset > 0:
        return Outcome(recovered=True)
    latest = channel.ring.after(channel.top - 1) if channel.top > channel.ring.base else []
    if latest:
        return Outcome(recovered=True, pubs=latest)
    return Outcome(recovered=False, needs_database=channel.rules.durable and channel.top > 0)


async def recover_from_database(reader: Reader, channel: Channel, epoch: str, offset: int, limit: int) -> Outcome:
    """Like `recover`, beyond memory. After its last `await` it decides without another: the caller's turn (rule 9)."""
    for _ in range(READS):
        outcome = recover(channel, epoch, offset, limit)
        if not outcome.needs_database:
            return outcome
        rows = await reader.after(channel.name, offset, limit)
        # Rows above our top are committed, but not by a commit that we have heard of: their turn comes.
        rows = [row for row in rows if row.offset <= channel.top]
        outcome = recover(channel, epoch, offset, limit)
        if not outcome.needs_database:
            return outcome
        if not rows or [row.offset for row in rows] != list(range(offset + 1, offset + 1 + len(rows))):
            return Outcome(recovered=False)
        if rows[-1].offset >= channel.ring.base:
            delta = channel.rules.delta_publish
            pubs = [encode_row(row, channel.epoch, delta=delta) for row in rows]
            return _complete(pubs + channel.ring.after(rows[-1].offset))
    return Outcome(recovered=False)


async def read_changes_from_database(reader: Reader, channel: Channel, epoch: str, offset: int, limit: int) -> Outcome:
    """The next changes after (epoch, offset), `limit` at most, complete as far as they go: a map's pages of changes."""
    rows = await reader.after(channel.name, offset, limit)
    rows = [row for row in rows if row.offset <= channel.top]
    known = channel.epoch == epoch and offset <= channel.top
    if not known or [row.offset for row in rows] != list(range(offset + 1, offset + 1 + len(rows))):
        return Outcome(recovered=False)
    pubs = [encode_row(row, channel.epoch, delta=channel.rules.delta_publish) for row in rows]
    reached = offset + len(pubs)
    if reached >= channel.ring.base:
        pubs += channel.ring.after(reached, limit - len(pubs))
    # Nothing read although there is more: the database no longer reaches back.
    return Outcome(recovered=bool(pubs) or offset == channel.top, pubs=pubs)


async def recover_latest_from_database(reader: Reader, channel: Channel, epoch: str, offset: int) -> Outcome:
    """Like `recover_latest`, beyond memory."""
    rows = await reader.before(channel.name, channel.top + 1, 1)
    outcome = recover_latest(channel, epoch, offset)
    if outcome.needs_database and rows and rows[0].offset == channel.top:
        return Outcome(recovered=True, pubs=[encode_row(rows[0], channel.epoch, delta=channel.rules.delta_publish)])
    return Outcome(recovered=outcome.recovered, pubs=outcome.pubs)


def read_history(channel: Channel, offset: int | None, limit: int, *, reverse: bool) -> list[bytes] | None:
    """A page from memory; None when only the database has it. `offset` is exclusive, None names the stream's end."""
    ring = channel.ring
    if reverse:
        start = channel.top + 1 if offset is None else offset
        pubs = ring.before(start, limit)
        complete = len(pubs) == limit or start - 1 - len(pubs) <= 0
    else:
        start = 0 if offset is None else offset
        pubs = ring.after(start, limit)
        complete = start >= ring.base
    return fitting(pubs) if complete or not channel.rules.durable or ring.base == 0 else None


async def read_history_from_database(
    reader: Reader, channel: Channel, offset: int | None, limit: int, *, reverse: bool
) -> list[bytes]:
    """A page from the database, up to the committed top."""
    rows: Sequence[StoredPublication]
    if reverse:
        rows = await reader.before(channel.name, channel.top + 1 if offset is None else offset, limit)
    else:
        rows = await reader.after(channel.name, 0 if offset is None else offset, limit)
    delta = channel.rules.delta_publish
    return fitting([encode_row(row, channel.epoch, delta=delta) for row in rows if row.offset <= channel.top])
