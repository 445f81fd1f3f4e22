"""Changes of persistent maps that transactions made: decided like any other, by the owner of the map.

The transaction has committed, so nobody can be told of a refusal: what breaks a limit of the map, or does not meet its
own condition, is dropped with its row, and logged.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError
from actors.brokers.durable import MAX_BATCH_BYTES, Committer, Entry
from actors.brokers.relay import as_op, relayed
from actors.brokers.stored import parse_attributes
from actors.protocol.channels import InvalidChannel
from actors.protocol.namespaces import UnknownNamespace
from db.outbox.relay import BATCH, Waiting
from db.streams.errors import AlreadyKnown, Refused, StaleHead
from db.streams.store import Commit, StreamStore

logger = structlog.get_logger(__name__)


class MapRelay:
    """One shard's. `get` returns a channel, made if need be; what is not loaded yet waits for the next turn."""

    def __init__(self, committer: Committer, store: StreamStore, get: Callable[[str], Channel]) -> None:
        self._committer = committer
        self._store = store
        self._get = get
        self._singly = False

    async def change(self, fence: int, rows: Sequence[Waiting]) -> bool:
        """Commit what these rows ask for, and forget them: one fenced statement. True when there may be more."""
        now = asyncio.get_running_loop().time()
        taken: list[tuple[Waiting, Entry]] = []
        dropped: list[Waiting] = []
        keys: set[tuple[str, str]] = set()
        size = 0
        more = len(rows) == BATCH
        for row in rows:
            if (taken and self._singly) or size > MAX_BATCH_BYTES or (row.channel, row.idempotency_key) in keys:
                more = True
                break
            try:
                channel = self._get(row.channel)
            except (UnknownNamespace, InvalidChannel) as reason:
                _log_dropped(row, str(reason))
                dropped.append(row)
                continue
            except BrokerError:
                continue  # on its way to another shard
            op = as_op(row, parse_attributes(row.attributes))
            if channel.map is None or op.change is None:
                _log_dropped(row, "no change of a key, or no map")
                dropped.append(row)
            elif not channel.loaded:
                self._committer.load(channel)
            else:
                taken.append((row, Entry(None, channel, op, now, self._committer.wall_ms())))
                size += len(op.data)
                if row.idempotency_key:
                    keys.add((row.channel, row.idempotency_key))
        await self._forget(fence, dropped)
        return await self._commit(fence, taken) and more

    async def _commit(self, fence: int, taken: Sequence[tuple[Waiting, Entry]]) -> bool:
        """Whether anything was done."""
        if not taken:
            return False
        batch, commit = self._committer.compose([entry for _, entry in taken])
        commit.buckets |= {row.bucket for row, _ in taken}
        commit.outbox = [row.id for row, _ in taken]
        try:
            await self._store.commit(fence, commit)
        except AlreadyKnown:
            await self._forget_known(fence, [row for row, _ in taken])
        except StaleHead:
            await self._committer.correct_heads(fence, [entry.channel for _, entry in taken])
        except Refused as reason:
            if self._singly:
                _log_dropped(taken[0][0], str(reason))
                await self._forget(fence, [taken[0][0]])
            self._singly = True
        else:
            self._singly = False
            self._committer.committed(batch)
            for row, entry in taken:
                with relayed(row):
                    if entry.refusal:
                        _log_dropped(row, entry.refusal)
        return True

    async def _forget_known(self, fence: int, rows: Sequence[Waiting]) -> None:
        """Rows whose idempotency key was used before have done what they should."""
        found = await self._store.find_keys([row.channel for row in rows], [row.idempotency_key for row in rows])
        await self._forget(fence, [row for row in rows if (row.channel, row.idempotency_key) in found])

    async def _forget(self, fence: int, rows: Sequence[Waiting]) -> None:
        if rows:
            await self._store.commit(
                fence, Commit(buckets={row.bucket for row in rows}, outbox=[row.id for row in rows])
            )


def _log_dropped(row: Waiting, reason: str) -> None:
    logger.warning("change of a map is dropped", channel=row.channel, row=row.id, reason=reason)
