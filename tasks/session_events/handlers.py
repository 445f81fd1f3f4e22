"""Who hears of session events: handlers that applications register through an entry point.

A package names a function in the entry point group `mobula.session_events`; it is called once per process that runs
jobs:

    def register(handlers: Handlers) -> None:
        handlers.on("crm.last_seen", note_last_seen, kinds={"disconnected"})
        handlers.enqueue("crm.cleanup", "crm.cleanup_room", kinds={"vacated"}, namespaces={"room"})
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from db.jobs.queue import DEFAULT_QUEUE, NewJob, enqueue_many
from db.session_events.kinds import BITS
from db.session_events.service import SessionEvent

ENTRY_POINT_GROUP: Final = "mobula.session_events"

Handle = Callable[[AsyncSession, Sequence[SessionEvent]], Awaitable[None]]
"""(transaction, events in order). Its rows commit together with the handler's position: written once. What it does
elsewhere happens at least once, and `SessionEvent.id` tells a repetition. Raising leaves everything as it was; the same
events come again, and later ones wait for them."""


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler. Empty `kinds` or `namespaces`: all. Events of connections belong to no namespace."""

    name: str
    handle: Handle
    kinds: frozenset[str]
    namespaces: frozenset[str]

    def wants(self, event: SessionEvent) -> bool:
        """Whether it hears of this event."""
        if self.kinds and event.kind not in self.kinds:
            return False
        return not self.namespaces or (event.channel != "" and namespace_of(event.channel) in self.namespaces)


def namespace_of(channel: str) -> str:
    """What stands before the first colon, `default` without one; private channels begin with `$`."""
    prefix, colon, _ = channel.removeprefix("$").partition(":")
    return prefix if colon and prefix else "default"


class Handlers:
    """The registry of one process. A name never changes: how far its handler has come is stored under it."""

    def __init__(self) -> None:
        self.by_name: dict[str, Handler] = {}

    def on(self, name: str, handle: Handle, *, kinds: Collection[str] = (), namespaces: Collection[str] = ()) -> None:
        """Call `handle` with events. Raises ValueError for a name that is taken, or for a kind that is none."""
        if name in self.by_name:
            raise ValueError(f"session event handler '{name}' is registered twice")
        unknown = sorted(set(kinds) - BITS.keys())
        if unknown:
            raise ValueError(f"session event handler '{name}': there is no event '{unknown[0]}'")
        self.by_name[name] = Handler(name, handle, frozenset(kinds), frozenset(namespaces))

    def enqueue(
        self,
        name: str,
        kind: str,
        *,
        kinds: Collection[str] = (),
        namespaces: Collection[str] = (),
        queue: str = DEFAULT_QUEUE,
    ) -> None:
        """Make one job of `kind` per event, with the event as its arguments; exactly one, whatever fails in between.

        Jobs run beside one another: what depends on order belongs into a handler.
        """

        async def make_jobs(session: AsyncSession, events: Sequence[SessionEvent]) -> None:
            await enqueue_many(session, [NewJob(kind, event.as_json(), queue=queue) for event in events])

        self.on(name, make_jobs, kinds=kinds, namespaces=namespaces)

    def discover(self) -> None:
        """Call every installed package's registration function."""
        for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda found: found.name):
            entry_point.load()(self)
