"""What a committed transaction sets off."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar
from uuid import UUID

import pytest

from actors.brokers.contract import PublishRequest, StreamPosition
from cluster.settings import Settings
from db.effects import (
    CacheInvalidated,
    ChannelLeft,
    Effect,
    JobsEnqueued,
    PositionRead,
    PublicationsQueued,
    SessionsRevoked,
    TokensRevoked,
    UserBlocked,
    UserMessaged,
)
from serve_app.resources import ActorClients
from serve_app.wiring import connect_effects
from tests.fakes.actors import Calls, FakeCache, FakeSessions

USER, SESSION = UUID(int=1), UUID(int=2)


class Handlers:
    """A database that only remembers its handlers."""

    def __init__(self) -> None:
        self.of: dict[type[Effect], Callable[[Sequence[Any]], Awaitable[None]]] = {}

    def on_commit(self, effect: type[Effect], handler: Callable[[Sequence[Any]], Awaitable[None]]) -> None:
        self.of[effect] = handler


class Forgetting:
    """An authenticator that remembers what it was told to forget."""

    def __init__(self) -> None:
        self.forgotten: list[dict[str, Any]] = []

    def forget(self, **what: Any) -> None:
        self.forgotten.append(what)


class World:
    """Resources, as far as wiring needs them."""

    def __init__(self, actors: ActorClients) -> None:
        self.database, self.authenticator, self.actors = Handlers(), Forgetting(), actors
        self.settings = Settings(_env_file=None)  # type: ignore[call-arg]
        connect_effects(self)  # type: ignore[arg-type]

    async def run(self, *effects: Effect) -> None:
        await self.database.of[type(effects[0])](effects)


@pytest.fixture
def clients() -> dict[str, Any]:
    return {"sessions": FakeSessions(), "cache": FakeCache(), "wake_jobs": Calls(), "poke_channels": Calls()}


async def test_shortcuts_are_merged(clients: dict[str, Any]):
    world = World(ActorClients(**clients))
    await world.run(JobsEnqueued(("default", "mail")), JobsEnqueued(("default",), (("mail", "k"),)))
    assert clients["wake_jobs"].made == [["default", "mail", ("mail", "k")]]
    await world.run(PublicationsQueued(("b",)), PublicationsQueued(("a", "b")))
    assert clients["poke_channels"].made == [["a", "b"]]


async def test_caches_are_voided(clients: dict[str, Any]):
    async def load() -> int:
        return 1

    cache = clients["cache"]
    for key, tags in (("a", ["x"]), ("b", ["y"]), ("c", [])):
        await cache.get_or_load(key, load, ttl_s=1, tags=tags)
    await World(ActorClients(**clients)).run(CacheInvalidated(keys=("c",)), CacheInvalidated(tags=("x",)))
    assert set(cache.values) == {"b"}


async def test_ended_sessions_are_forgotten_here_and_closed_everywhere(clients: dict[str, Any]):
    world = World(ActorClients(**clients))
    await world.run(SessionsRevoked(USER, SESSION), SessionsRevoked(USER))
    assert world.authenticator.forgotten == [{"session_id": SESSION}, {"user_id": USER}]
    assert clients["sessions"].revoked == [(str(USER), str(SESSION)), (str(USER), "")]


async def test_what_revoked_tokens_opened_is_closed(clients: dict[str, Any]):
    world = World(ActorClients(**clients))
    await world.run(TokensRevoked(token_id="j"), TokensRevoked(user="u", issued_before_ms=5, channel="x"))
    assert clients["sessions"].revoked_tokens == [("", "j", 0, ""), ("u", "", 5, "x")]
    await World(ActorClients()).run(TokensRevoked(token_id="j"))


async def test_who_left_a_channel_hears_no_more_of_it(clients: dict[str, Any]):
    await World(ActorClients(**clients)).run(ChannelLeft("u", "a"), ChannelLeft("v", "b"))
    assert clients["sessions"].unsubscribed == [("u", "a", 2000), ("v", "b", 2000)]
    await World(ActorClients()).run(ChannelLeft("u", "a"))


async def test_blocked_users_are_told_to_the_session_shards_in_order(clients):
    world = World(ActorClients(**clients))
    await world.run(UserBlocked("u", 5), UserBlocked("u", 0))
    assert clients["sessions"].blocked == [("u", 5), ("u", 0)]
    await World(ActorClients()).run(UserBlocked("u", 5))


async def test_without_actors_nothing_fails():
    world = World(ActorClients())
    await world.run(JobsEnqueued(("default",)))
    await world.run(PublicationsQueued(("a",)))
    await world.run(CacheInvalidated(keys=("a",)))
    await world.run(SessionsRevoked(USER))
    assert world.authenticator.forgotten == [{"user_id": USER}]


async def test_members_hear_how_far_somebody_has_read():
    class Brokers:
        published: ClassVar[list[PublishRequest]] = []

        async def publish(self, request: PublishRequest) -> StreamPosition:
            self.published.append(request)
            return StreamPosition("", 0)

    world = World(ActorClients(brokers=Brokers()))  # type: ignore[arg-type]
    await world.run(PositionRead("conversation:1", "u1", "e", 3), PositionRead("ledger:1", "u1", "e", 3))
    assert [request.channel for request in Brokers.published] == ["conversation:1"]


async def test_messages_go_to_the_session_shards(clients: dict[str, Any]):
    await World(ActorClients(**clients)).run(UserMessaged("u1", b"1"), UserMessaged("u2", b"2"))
    assert clients["sessions"].sent == [("u1", b"1"), ("u2", b"2")]
    await World(ActorClients()).run(UserMessaged("u1", b"1"))
