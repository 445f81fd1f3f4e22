"""Taking committed rows out of the outbox, in commit order per channel, behind the owner's fence (DESIGN §5, 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from db.streams.store import StreamStore

BATCH: Final = 500

_ANY = "SELECT EXISTS (SELECT 1 FROM app.outbox WHERE position > $1)"
_RELAY = "SELECT * FROM app.relay_publications($1, $2, $3, $4, $5, $6, $7)"
_WAITING = """
SELECT o.id, o.position, o.channel, o.bucket, o.data::text, o.attributes::text, o.idempotency_key FROM app.outbox o
WHERE o.position > $1 AND o.bucket = ANY ($2) AND o.namespace <> ALL ($3) ORDER BY o.position LIMIT $4
"""
_CHANGES = _WAITING.replace("<> ALL", "= ANY")
_FORGET = "SELECT app.forget_outbox($1, $2, $3)"
_OLDEST = "SELECT min(position) FROM app.outbox WHERE position > $1"
_LAST = "SELECT last_value FROM app.outbox_positions WHERE is_called"
_MARK = "SELECT pg_current_xact_id()::text::bigint"
_HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


@dataclass(frozen=True, slots=True)
class Relayed:
    """A row that became a committed publication of a durable stream. `replaced`: the offset of the earlier publication
    that says the same now.
    """

    channel: str
    epoch: str
    offset: int
    publication_id: str
    data: str
    attributes: str | None
    time_ms: int
    replaced: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A committed row of a memory namespace, to be published and then forgotten; or of a persistent map, whose owner
    decides about it and forgets it with its commit.
    """

    id: int
    position: int
    channel: str
    bucket: int
    data: str
    attributes: str | None
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Retention:
    """How long publications and heads of one durable namespace live, and whether its channels are maps."""

    namespace: str
    ttl_s: int
    meta_ttl_s: int
    maps: bool = False


class Outbox:
    """The relay's view of the outbox, on the owner's connection.

    Scans begin at a floor below which no row can appear any more. Without it, each scan would walk over all rows
    deleted since the oldest snapshot of the database, and exports hold snapshots for long.
    """

    def __init__(self, store: StreamStore, buckets: Sequence[int], retentions: Sequence[Retention]) -> None:
        self.floor = 0
        self._store = store
        self.buckets = list(buckets)
        self._retentions: list[Retention] = []
        self._durable: list[str] = []
        self._maps: list[str] = []
        self.keep(retentions)
        self._candidate = 0
        self._mark: int | None = None

    def keep(self, retentions: Sequence[Retention]) -> None:
        """These are the durable namespaces from now on."""
        self._retentions = [retention for retention in retentions if not retention.maps]
        self._durable = [retention.namespace for retention in retentions]
        self._maps = [retention.namespace for retention in retentions if retention.maps]

    async def has_rows(self) -> bool:
        """Whether anything is committed and waiting, for this shard or another. The cheapest way to find nothing."""
        return bool((await self._store.rows(_ANY, self.floor))[0][0])

    async def relay(self, fence: int, limit: int = BATCH) -> list[Relayed]:
        """Move the oldest rows of durable streams there: one fenced transaction. In order."""
        rows = await self._store.rows(
            _RELAY,
            fence,
            self.buckets,
            [retention.namespace for retention in self._retentions],
            [retention.ttl_s for retention in self._retentions],
            [retention.meta_ttl_s for retention in self._retentions],
            self.floor,
            limit,
        )
        return [Relayed(*row) for row in rows]

    async def waiting(self, limit: int = BATCH) -> list[Waiting]:
        """The oldest rows of memory namespaces, in order. They stay until `forget`."""
        return [
            Waiting(*row) for row in await self._store.rows(_WAITING, self.floor, self.buckets, self._durable, limit)
        ]

    async def changes(self, limit: int = BATCH) -> list[Waiting]:
        """The oldest rows of persistent maps, in order. They stay until a commit forgets them (`Commit.outbox`)."""
        if not self._maps:
            return []
        return [Waiting(*row) for row in await self._store.rows(_CHANGES, self.floor, self.buckets, self._maps, limit)]

    async def forget(self, fence: int, rows: Sequence[Waiting]) -> None:
        """Delete rows that are done with. Fenced: a shard that lost its channels must not take their messages."""
        await self._store.rows(_FORGET, fence, list({row.bucket for row in rows}), [row.id for row in rows])

    async def raise_floor(self) -> None:
        """Move the floor up to what is certainly over; called every few seconds.

        A row gets its position after its transaction got its id. So positions given out before a moment belong to
        transactions older than that moment, and once all of those have ended nothing can appear below.
        """
        if self._mark is None:
            last = await self._store.rows(_LAST)
            if last and last[0][0] > self.floor:
                self._candidate = last[0][0]
                self._mark = (await self._store.rows(_MARK))[0][0]
            return
        if (await self._store.rows(_HORIZON))[0][0] <= self._mark:
            return
        oldest = (await self._store.rows(_OLDEST, self.floor))[0][0]
        self.floor = self._candidate if oldest is None else min(self._candidate, oldest - 1)
        self._mark = None
