"""Questions to all hubs: which are under way in one shard, and who is to be told the answers.

A question goes down the stream of every hub and its answer comes up the hub's link, so neither needs a way of its own,
and nobody but the asker waits.
"""

import itertools
from dataclasses import dataclass
from typing import Final

from actors.links.stream import ClientStream
from actors.sessions.wire import AnswerQuestion, AskHubs, HubAnswered, HubsAsked, Question, encode

WAITING_MAX: Final = 1_000
"""Questions whose answers are still awaited; the oldest is forgotten first."""


@dataclass(slots=True)
class _Asked:
    asker: ClientStream
    request: int
    missing: set[str]


class Questions:
    """The hubs of a shard, and what they are being asked."""

    def __init__(self) -> None:
        self.hubs: dict[str, ClientStream] = {}
        self._tickets = itertools.count(1)
        self._waiting: dict[int, _Asked] = {}

    def announce(self, stream: ClientStream) -> None:
        """This process holds connections."""
        self.hubs[stream.boot] = stream

    def forget(self, stream: ClientStream) -> None:
        """A process is gone."""
        if self.hubs.get(stream.boot) is stream:
            del self.hubs[stream.boot]

    def ask(self, asker: ClientStream, op: AskHubs) -> None:
        """Pass a question on, and tell the asker whom to expect answers from."""
        asked = {boot: hub for boot, hub in self.hubs.items() if op.hub in ("", boot)}
        asker.push(encode(HubsAsked(op.request, list(asked))))
        if not asked:
            return
        while len(self._waiting) >= WAITING_MAX:
            del self._waiting[next(iter(self._waiting))]
        ticket = next(self._tickets)
        self._waiting[ticket] = _Asked(asker, op.request, set(asked))
        question = encode(Question(ticket, op.question))
        for hub in asked.values():
            hub.push(question)

    def answer(self, hub: ClientStream, op: AnswerQuestion) -> None:
        """Pass an answer back."""
        waiting = self._waiting.get(op.ticket)
        if waiting is None or hub.boot not in waiting.missing:
            return
        waiting.missing.discard(hub.boot)
        if not waiting.missing:
            del self._waiting[op.ticket]
        waiting.asker.push(encode(HubAnswered(waiting.request, hub.boot, op.answer)))
