"""What this process follows: its channels, up to where it has seen each, and what it does about breaks."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from actors.brokers.contract import ChannelSink, Publication
from actors.brokers.items import Difference, EpochChanged, Gap, Item, Joined, Left, Published, Resumed, TakenAway
from actors.brokers.operations import Repair, Resume
from actors.brokers.poll_wire import PollChanged, polled
from actors.brokers.wire import Subscriber, publication
from actors.links.requests import OVERHEAD_BYTES, Send

AGAIN_FIRST_S: Final = 0.5
AGAIN_LIMIT_S: Final = 8.0
"""A refused `Resume` is sent again after this, each time a little later: nobody else registers what is held."""

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Held:
    """What this process holds of one channel, and up to where it has seen it."""

    epoch: str = ""
    offset: int = 0
    subscribers: dict[int, Subscriber] = field(default_factory=dict)
    repairing: bool = False
    """Publications with an offset are dropped until `Resumed` brings them: it contains all that come before it."""
    refusals: int = 0
    """How often in a row the shard could not say what was missed."""


class Following:
    """The channels that this process holds at one shard."""

    def __init__(self, sink: ChannelSink | None, send: Send) -> None:
        self.held: dict[str, Held] = {}
        self._sink = sink
        self._send = send
        self._again: dict[str, float] = {}
        """Channels that the shard may not have registered → when it is told of them again."""
        self.handlers: Mapping[type, Callable[[Any], None]] = {
            Joined: self._on_joined,
            Left: self._on_left,
            Difference: self._on_difference,
            PollChanged: self._on_poll_changed,
            Gap: self._on_gap,
            Resumed: self._on_resumed,
            EpochChanged: self._on_epoch_changed,
            TakenAway: self._on_taken_away,
        }

    def hold(self, channel: str, subscriber: Subscriber, epoch: str, offset: int) -> None:
        """A subscription stands, from (epoch, offset) on."""
        held = self.held.get(channel)
        if held is None:
            held = self.held[channel] = Held(epoch, offset)
        elif not held.epoch:
            held.epoch, held.offset = epoch, offset
        held.subscribers[subscriber.subscription] = subscriber

    def release(self, channel: str, subscription: int) -> None:
        """A subscription was given up."""
        held = self.held.get(channel)
        if held is not None:
            held.subscribers.pop(subscription, None)
            if not held.subscribers:
                del self.held[channel]

    def resume(self) -> None:
        """Tell a shard that knows nothing of us what we hold."""
        self._again.clear()
        for channel, held in self.held.items():
            self.resume_one(channel, held)

    def resume_one(self, channel: str, held: Held) -> None:
        """Tell a shard that does not know of it that we hold this channel."""
        held.repairing = True
        resume = Resume(channel, held.epoch, held.offset, list(held.subscribers.values()))
        self._send(resume, OVERHEAD_BYTES * (1 + len(held.subscribers)), may_expire=False)

    def check(self, now: float) -> None:
        """Tell the shard again what it refused to take, where that is due."""
        for channel in [channel for channel, due in self._again.items() if due <= now]:
            del self._again[channel]
            held = self.held.get(channel)
            if held is not None and not held.repairing:
                self.resume_one(channel, held)

    def take(self, items: list[Item], other: Callable[[Item], None]) -> None:
        """Deliver a batch of the stream, publications in runs per channel; `other` gets everything else, in order."""
        channel = ""
        run: list[Publication] = []
        for item in items:
            if type(item) is Published:
                if item.channel != channel and run:
                    self._deliver(channel, run)
                    run = []
                channel = item.channel
                pub = item.pub
                held = self.held.get(channel)
                if held is None:
                    continue
                if pub.offset:
                    if held.repairing:
                        continue
                    if pub.epoch != held.epoch or pub.offset > held.offset + 1:
                        if held.epoch:
                            if run:
                                self._deliver(channel, run)
                                run = []
                            self.repair(channel, held)
                            continue
                        # The channel had no history until now, or nothing is known of its past: from here on.
                        held.epoch = pub.epoch
                    elif pub.offset <= held.offset:
                        continue
                    held.offset = pub.offset
                run.append(publication(pub))
                continue
            if run:
                self._deliver(channel, run)
                run = []
            other(item)
        if run:
            self._deliver(channel, run)

    def _deliver(self, channel: str, publications: Sequence[Publication]) -> None:
        if self._sink is not None:
            try:
                self._sink.on_publications(channel, publications)
            except Exception:
                logger.exception("sink failed", channel=channel)

    def repair(self, channel: str, held: Held) -> None:
        """Ask for what was missed of a channel."""
        held.repairing = True
        self._send(Repair(channel, held.epoch, held.offset), OVERHEAD_BYTES, may_expire=False)

    def _on_gap(self, item: Gap) -> None:
        held = self.held.get(item.channel)
        # A channel without history has lost what it lost.
        if held is not None and held.epoch and not held.repairing:
            self.repair(item.channel, held)

    def _on_resumed(self, item: Resumed) -> None:
        held = self.held.get(item.channel)
        if held is None or not held.repairing:
            return
        held.repairing = False
        had = bool(held.epoch)
        held.epoch, held.offset = item.epoch, item.offset
        if not item.ok and not item.epoch:
            # Refused. Those with a position come back one by one; the others would wait for ever.
            delay = min(AGAIN_LIMIT_S, AGAIN_FIRST_S * 2 ** min(held.refusals, 10))
            delay *= 0.5 + 0.5 * random.random()  # noqa: S311 - spreads load, guards nothing
            self._again[item.channel] = asyncio.get_running_loop().time() + delay
            held.refusals += 1
        else:
            held.refusals = 0
        if item.ok:
            if item.pubs:
                self._deliver(item.channel, [publication(pub) for pub in item.pubs])
        elif had and self._sink is not None:
            self._sink.on_insufficient(item.channel)

    def _on_epoch_changed(self, item: EpochChanged) -> None:
        held = self.held.get(item.channel)
        if held is not None:
            held.epoch, held.offset = item.epoch, item.offset
            if self._sink is not None:
                self._sink.on_insufficient(item.channel)

    def _on_joined(self, item: Joined) -> None:
        if self._sink is not None and item.channel in self.held:
            self._sink.on_join(item.channel, item.info)

    def _on_left(self, item: Left) -> None:
        if self._sink is not None and item.channel in self.held:
            self._sink.on_leave(item.channel, item.info)

    def _on_difference(self, item: Difference) -> None:
        if self._sink is not None and item.channel in self.held:
            self._sink.on_difference(item.channel, item.joined, item.left)

    def _on_poll_changed(self, item: PollChanged) -> None:
        if self._sink is not None and item.channel in self.held:
            self._sink.on_polled(item.channel, [polled(value) for value in item.values])

    def _on_taken_away(self, item: TakenAway) -> None:
        if self._sink is not None:
            self._sink.on_unsubscribed(item.channel, item.client, item.code, item.reason)
