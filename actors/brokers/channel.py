"""One channel's state in its shard: stream, subscriptions per hub, presence."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from actors.brokers.contract import BrokerError, ClientInfo
from actors.brokers.epochs import new_epoch
from actors.brokers.history import Ring
from actors.brokers.items import published_prefix
from actors.brokers.map_state import MapState
from actors.brokers.memory import Memory
from actors.brokers.operations import Operation, Publish
from actors.brokers.polled import Polled
from actors.brokers.view_changes import ViewChanges
from actors.brokers.wire import Entry, Pub, Subscriber, encode
from actors.links.placement import bucket_of
from actors.links.stream import ClientStream
from actors.protocol import presence_maps
from actors.protocol.namespaces import Namespace
from actors.protocol.rates import parse

IDEMPOTENCY_S = 300.0
"""How long an idempotency key answers with the first result."""


@dataclass(slots=True)
class HubInterest:
    """What one process holds of a channel."""

    stream: ClientStream
    subscribers: dict[int, Subscriber] = field(default_factory=dict)

    @property
    def is_adopted(self) -> bool:
        """Whether it came from another shard, and its process has not registered it here."""
        return not self.stream.session


@dataclass(frozen=True, slots=True)
class Present:
    """One connection in the channel, and which subscription brought it there."""

    info: ClientInfo
    boot: str
    subscription: int


class Channel:
    """Everything a shard knows of one channel. Changes happen within one turn, so readers see whole states."""

    __slots__ = (
        "bucket",
        "epoch",
        "hubs",
        "keys",
        "loaded",
        "map",
        "memory",
        "name",
        "polled",
        "prefix",
        "presence",
        "publish_full_at",
        "ring",
        "rules",
        "shows",
        "top",
        "touched",
        "users",
        "version",
        "version_epoch",
        "view",
        "waiting",
    )

    def __init__(
        self, name: str, rules: Namespace, now: float, *, epoch: str = "", memory: Memory | None = None
    ) -> None:
        """`epoch`: with which a memory channel begins, a new one if empty. `memory`: where what it keeps is counted."""
        self.name = name
        self.memory = memory or Memory()
        self.rules = rules
        self.bucket = bucket_of(name)
        self.epoch = "" if rules.durable else epoch or new_epoch()
        self.top = 0
        """Offset of the newest publication; on a durable channel, of the newest committed one."""
        self.ring = Ring(rules.history_size, rules.history_ttl_s, memory=self.memory)
        self.hubs: dict[str, HubInterest] = {}
        self.presence: dict[str, Present] = {}
        self.users: dict[str, int] = {}
        """Connections of each user in `presence`: counted here, because a question must not count ten thousand."""
        self.keys: dict[str, tuple[int, str, float]] = {}
        self.version = 0
        self.version_epoch = ""
        self.shows = presence_maps.parse(name)
        """The channel is another one's presence, as a map."""
        self.view = None if self.shows is None else ViewChanges()
        """What of that is told."""
        self.map = None if rules.map is None or self.shows is not None else MapState(rules.map, self.memory)
        """Keys and their newest values, where the channel is a map."""
        self.polled = None if rules.shared_poll is None else Polled(rules.shared_poll, self.memory)
        """What is known of its keys, where the channel is a shared poll."""
        self.prefix = published_prefix(name)
        self.publish_full_at = 0.0
        """When the bucket of `channel_publish_rate` is full again."""
        self.touched = now
        self.loaded = not rules.durable
        """A durable channel's head has been read under our fence."""
        self.waiting: list[tuple[ClientStream, Operation, float]] = []
        """Operations, with their arrival, that wait for that."""

    @property
    def in_use(self) -> bool:
        """Whether anybody is subscribed or waits, or keys are in memory only."""
        kept = self.map is not None and not self.rules.durable and bool(self.map.values)
        return self.has_members or kept

    @property
    def has_members(self) -> bool:
        """Whether anybody is subscribed or waits."""
        return bool(self.hubs or self.presence or self.waiting)

    @property
    def keeps(self) -> bool:
        """Whether forgetting it gives memory back."""
        values = bool(self.map is not None and self.map.values) or bool(self.polled is not None and self.polled.keys)
        return values or bool(len(self.ring) or self.keys)

    def is_blank(self, now: float) -> bool:
        """Whether it is as if it had just begun, in memory: nobody could tell whether it was forgotten in between."""
        began = self.top or self.version or now < self.publish_full_at
        return not (self.rules.durable or began or self.keeps or self.has_members)

    def let_go(self) -> None:
        """It is not the shard's any more: what it keeps does not count, whoever has still got hold of it."""
        for key in self.keys:
            self.memory.give(len(key))
        self.memory = Memory()
        self.ring.let_go()
        if self.map is not None:
            self.map.let_go()
        if self.polled is not None:
            self.polled.let_go()

    def take_rules(self, rules: Namespace) -> "Channel | None":
        """Go on under other rules. Returns the channel that takes this one's place when the stream is another kind.

        Such a stream begins anew; who is subscribed and present stays.
        """
        old, self.rules = self.rules, rules
        if old.shared_poll != rules.shared_poll:
            if self.polled is not None:
                self.polled.let_go()
            self.polled = None if rules.shared_poll is None else Polled(rules.shared_poll, self.memory)
        if _kind(old) == _kind(rules):
            self.ring.keep(rules.history_size, rules.history_ttl_s)
            if self.map is not None and rules.map is not None:
                self.map.options = rules.map
            return None
        successor = Channel(self.name, rules, self.touched, memory=self.memory)
        successor.hubs, self.hubs = self.hubs, {}
        successor.presence, self.presence = self.presence, {}
        successor.users, self.users = self.users, {}
        successor.waiting, self.waiting = self.waiting, []
        # What is still being committed for the old stream must find the rules that it was published under.
        self.rules = old
        return successor

    def check_publication(self, size: int, now: float, *, by_client: bool) -> None:
        """Hold a publication to the limits of the namespace. Raises BrokerError 106 or 111."""
        rules = self.rules
        if rules.publication_max_bytes and size > rules.publication_max_bytes:
            raise BrokerError(106, f"a publication here has at most {rules.publication_max_bytes} bytes")
        rate = parse(rules.channel_publish_rate) if by_client else None
        if rate is not None:
            full_at = rate.take(self.publish_full_at, now)
            if full_at is None:
                raise BrokerError(111, "too many requests")
            self.publish_full_at = full_at

    def check_room(self) -> None:
        """Whether one more may subscribe. Raises BrokerError 106."""
        most = self.rules.channel_max_subscribers
        if most and self.connections >= most:
            raise BrokerError(106, f"a channel here has at most {most} subscribers")

    @property
    def connections(self) -> int:
        """Subscriptions, over all processes."""
        return sum(len(hub.subscribers) for hub in self.hubs.values())

    def admit(self, present: Present) -> bool:
        """Note that a connection is here. True when it was not before."""
        client, user = present.info.client, present.info.user
        before = self.presence.get(client)
        self.presence[client] = present
        if before is None:
            self.users[user] = self.users.get(user, 0) + 1
        return before is None

    def dismiss(self, client: str) -> None:
        """Note that a connection is here no more."""
        present = self.presence.pop(client, None)
        if present is not None:
            user = present.info.user
            self.users[user] -= 1
            if not self.users[user]:
                del self.users[user]

    def idempotent(self, key: str, now: float) -> tuple[int, str] | None:
        """What came of an earlier publication with the same key."""
        known = self.keys.get(key)
        if known is None or known[2] <= now:
            return None
        return known[0], known[1]

    def remember(self, key: str, offset: int, epoch: str, now: float) -> None:
        """Keep the result of a key, and forget expired ones while there are many."""
        keys = self.keys
        if key not in keys:
            self.memory.take(len(key))
        keys[key] = (offset, epoch, now + IDEMPOTENCY_S)
        for old in list(_expired(keys, now)):
            del keys[old]
            self.memory.give(len(old))

    def is_stale(self, version: int, version_epoch: str) -> bool:
        """Whether a conditional publication is not newer than the last one."""
        return bool(version) and version_epoch == self.version_epoch and version <= self.version

    def accept(self, offset: int, epoch: str, pub: bytes, now: float) -> None:
        """Make a publication with an offset part of the stream, and tell every hub that listens."""
        self.top = offset
        self.ring.append(pub, now)
        self.fan_out(pub)
        if self.memory.full:
            self.memory.relieve(self, now)

    def fan_out(self, pub: bytes) -> None:
        """Put one publication on the stream of every hub that listens. The bytes are shared."""
        if self.hubs:
            item = self.prefix + pub
            name = self.name
            for hub in self.hubs.values():
                hub.stream.push(item, name)

    def tell(self, item: bytes, *, droppable: bool = False) -> None:
        """Put one item on the stream of every hub that listens."""
        for hub in self.hubs.values():
            hub.stream.push(item, self.name if droppable else None)


def _kind(rules: Namespace) -> tuple[object, ...]:
    """What of the rules a stream cannot change without beginning anew."""
    kept = None if rules.map is None else (rules.map.mode, rules.map.ordered)
    return rules.durable, rules.has_history, kept


def _expired(keys: dict[str, tuple[int, str, float]], now: float) -> Iterator[str]:
    """The oldest keys that are over: insertion order is expiry order, a few per call keep the table small."""
    for seen, (key, (_, _, expires)) in enumerate(keys.items()):
        if expires > now or seen >= 4:
            return
        yield key


def encode_pub(op: Publish, offset: int, epoch: str, time_ms: int, *, delta: bool, before: bytes = b"") -> bytes:
    """The bytes of a publication as every hub will see it. `before`: what a change of a key replaces."""
    change = op.change
    entry = None if change is None else Entry(change.key, change.removed, change.score, op.version, before)
    return encode(
        Pub(op.data, offset, epoch, time_ms, op.info, op.tags, delta, op.exclude_clients, op.exclude_users, entry)
    )
