"""What is known in the whole cluster of the keys of one shared poll, and whose turn it is to ask. Plain data, no I/O.

Every process says which keys it tracks before it asks for them. Whoever comes first when a key is due is given it, and
with it what others track and is due too; the others hear what was found. So a backend is asked for a key once per
interval, however many processes track it. What is lost with the shard is asked for again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from actors.brokers.memory import Memory
from actors.brokers.poll_wire import PollValue
from actors.protocol.namespace_groups import SharedPollOptions

LEASE_S: Final = 12.0
"""A process that was given a key has said by then what came of it, or has gone. Longer than a call may take."""

EARLY: Final = 0.9
"""A key is due again after this part of the interval: the one who asks regularly must not come too early."""

CLAIMED: Final = 1.5
"""For so many intervals after somebody claimed it, a key is asked for along with others."""

FORGET_S: Final = 120.0
"""Longer than anybody who still tracks a key may be silent about it (a backend that fails is asked every minute)."""

BACKOFF_MAX_S: Final = 60.0

VALUES_BYTES: Final = 4 * 1024 * 1024
"""Values kept for processes that begin to track a key; of what is beyond, the version is known only."""

ANSWER_BYTES: Final = 256 * 1024
"""Values in one answer; the others come with the next one."""


@dataclass(slots=True)
class _Key:
    version: int = 0
    data: bytes | None = None
    due: float = 0.0
    asked: float = 0.0
    claimed: float = 0.0
    given: bool = False
    """A process is asking for it now."""


class Polled:
    """One channel's. Bounded by `max_keys` of its namespace and VALUES_BYTES."""

    def __init__(self, options: SharedPollOptions, memory: Memory | None = None) -> None:
        self.options = options
        self._memory = memory or Memory()
        self.keys: dict[str, _Key] = {}
        self.bytes = 0
        self._interval_s = options.interval_ms / 1000
        self._failures = 0
        self._retry_at = 0.0
        self._scan_at = 0.0

    def claim(self, keys: Mapping[str, int], now: float) -> tuple[dict[str, int], list[PollValue]]:
        """A process tracks these keys and knows these versions. Returns what it is to ask for, and what it lacks."""
        ask: dict[str, int] = {}
        values: list[PollValue] = []
        size = 0
        may_ask = now >= self._retry_at
        for name, version in keys.items():
            key = self.keys.get(name)
            if key is None:
                if len(self.keys) >= self.options.max_keys:
                    # One too many to remember: everybody asks for themselves.
                    ask[name] = version
                    continue
                key = self.keys[name] = _Key()
                self._memory.take(len(name))
            key.claimed = now
            if key.version > version and key.data is not None and size < ANSWER_BYTES:
                values.append(PollValue(name, key.version, key.data))
                size += len(key.data)
            # Its value is not kept here.
            is_lacking = key.data is None and version < key.version and not key.given
            if may_ask and (key.due <= now or is_lacking):
                ask[name] = self._given(key, min(version, key.version), now)
        if ask and now >= self._scan_at:
            self._scan_at = now + self._interval_s / 2
            self._scan(ask, now)
        return ask, values

    def _given(self, key: _Key, version: int, now: float) -> int:
        key.given, key.asked, key.due = True, now, now + LEASE_S
        return version if key.data is None else key.version

    def _scan(self, ask: dict[str, int], now: float) -> None:
        """Let others' keys come along in the same call, and forget what nobody claims."""
        room = self.options.batch_size - len(ask)
        recently = now - CLAIMED * self._interval_s
        for name, key in list(self.keys.items()):
            if key.claimed < now - FORGET_S - self._interval_s:
                self._forget(name)
            elif room > 0 and key.due <= now and key.claimed >= recently:
                ask[name] = self._given(key, key.version, now)
                room -= 1

    def report(self, asked: Iterable[str], values: Sequence[PollValue], now: float) -> list[PollValue]:
        """A process has asked. Returns what the others do not know yet."""
        for name in asked:
            key = self.keys.get(name)
            if key is not None:
                key.given, key.due = False, max(key.asked + EARLY * self._interval_s, now)
        news = []
        for value in values:
            key = self.keys.get(value.key)
            if value.removed:
                self._forget(value.key)
                news.append(value)
            elif key is None:
                news.append(value)
            elif value.version >= key.version:
                if value.version > key.version:
                    news.append(value)
                self._keep(key, value)
        return news

    def _keep(self, key: _Key, value: PollValue) -> None:
        self._hold(key, None)
        key.version = value.version
        if self.bytes + len(value.data) <= VALUES_BYTES and not self._memory.full:
            self._hold(key, value.data)

    def _hold(self, key: _Key, data: bytes | None) -> None:
        grown = len(data or b"") - len(key.data or b"")
        key.data = data
        self.bytes += grown
        self._memory.bytes += grown

    def let_go(self) -> None:
        """What is here is not to be counted any more."""
        for name in self.keys:
            self._memory.give(len(name))
        self._memory.bytes -= self.bytes
        self._memory = Memory()

    def _forget(self, name: str) -> None:
        key = self.keys.pop(name, None)
        if key is not None:
            self._hold(key, None)
            self._memory.give(len(name))

    def ended(self, *, failed: bool, now: float) -> None:
        """A round has ended: after failures nobody asks for a while."""
        if not failed:
            self._failures, self._retry_at = 0, 0.0
            return
        self._failures += 1
        delay = min(self._interval_s * 2.0 ** min(self._failures, 16), max(BACKOFF_MAX_S, self._interval_s))
        self._retry_at = now + EARLY * delay
