import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect

from actors.brokers.contract import PublishRequest
from db.auth import service as auth
from db.session import Database
from serve_app.realtime import permissions
from serve_app.realtime.application import RealtimeApplication
from serve_app.realtime.handlers import Caller, Handlers, Question
from serve_app.realtime.permissions import Checks, register
from serve_app.realtime.verdicts import Granted
from tests.factories.auth import make_user
from tests.factories.conversations import make_conversation
from tests.fixtures.realtime_server import FakeBackends, realtime_settings, serve_realtime
from tests.fixtures.waiting import eventually


def asks(user: str, channel: str) -> Question:
    return Question(Caller(user, "c"), "subscribe", channel)


async def test_only_participants_are_members(database: Database) -> None:
    async with database.transaction() as session:
        ann, bob, eve = [await make_user(session) for _ in range(3)]
        conversation = await make_conversation(session, [ann, bob])
    checks = Checks(database)
    channel = f"conversation:{conversation.id}"
    granted = await checks.conversation_member(asks(str(ann.id), channel))
    assert isinstance(granted, Granted)
    assert granted.again_at is not None
    assert 0 < granted.again_at - time.time() <= permissions.MEMBER_AGAIN_S, "should the order at leaving get lost"
    assert granted.expires_at is None
    assert not await checks.conversation_member(asks(str(eve.id), channel))
    assert not await checks.conversation_member(asks(str(ann.id), f"conversation:{uuid4()}"))


@pytest.mark.parametrize(
    ("user", "channel"),
    [("", "conversation:x"), ("u", "conversation:e9b1abfb-c53a-489f-bdb4-d03968335b1c")],
)
async def test_what_is_no_id_is_nobody(database: Database, user: str, channel: str) -> None:
    assert not await Checks(database).conversation_member(asks(user, channel))
    assert not await Checks(database).realtime_admin(asks(user, "trace:x"))


async def test_only_who_sees_business_figures_hears_of_sales(database: Database) -> None:
    async with database.transaction() as session:
        analyst = await make_user(session, roles=("analyst",))
        customer = await make_user(session, roles=("customer",))
    checks = Checks(database)
    assert await checks.dashboard_reader(asks(str(analyst.id), "sales:live"))
    assert not await checks.dashboard_reader(asks(str(customer.id), "sales:live"))
    assert not await checks.dashboard_reader(asks("nobody", "sales:live"))


async def test_only_who_administers_realtime_reads_traces(database: Database) -> None:
    async with database.transaction() as session:
        operator = await make_user(session, roles=("operator",))
        analyst = await make_user(session, roles=("analyst",))
    checks = Checks(database)
    assert await checks.realtime_admin(asks(str(operator.id), "trace:t"))
    assert not await checks.realtime_admin(asks(str(analyst.id), "trace:t"))
    assert not await checks.realtime_admin(asks("nobody", "trace:t"))


async def test_they_are_offered_under_the_names_that_namespaces_use(database: Database) -> None:
    handlers = Handlers(database)
    register(handlers)
    assert set(handlers.permissions) == {"conversation_member", "dashboard_reader", "realtime_admin"}
    with pytest.raises(ValueError, match="database"):
        register(Handlers())


@asynccontextmanager
async def subscribed(url: str, token: str, channel: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Everything that somebody is told who watches a channel."""
    told: list[dict[str, Any]] = []

    async def listen() -> None:
        async for frame in socket:
            told.extend(json.loads(line) for line in str(frame).split("\n"))

    async with connect(url) as socket:
        await socket.send(json.dumps({"id": 1, "connect": {"token": token}}))
        await socket.send(json.dumps({"id": 2, "subscribe": {"channel": channel}}))
        listening = asyncio.create_task(listen())
        await eventually(lambda: any("subscribe" in message for message in told))
        yield told
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


def heard(told: list[dict[str, Any]]) -> list[Any]:
    pushes = [message["push"] for message in told if "push" in message]
    return [push["pub"]["data"] if "pub" in push else push["unsubscribe"] for push in pushes]


async def test_a_withdrawn_role_ends_its_subscriptions_and_nobody_else_s(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permissions, "AGAIN_S", 0.05)
    async with database.transaction() as session:
        stays, goes = [await make_user(session, roles=("customer", "analyst")) for _ in range(2)]
    asked = {str(stays.id): 0, str(goes.id): 0}
    may = Checks._may

    async def counted(self: Checks, user: str, permission: str) -> Any:
        asked[user] += 1
        return await may(self, user, permission)

    monkeypatch.setattr(Checks, "_may", counted)
    settings = realtime_settings(tmp_path)
    backends = FakeBackends(settings)
    application = RealtimeApplication(settings, backends.connect, database=database)
    async with (
        serve_realtime(application, settings) as server,
        subscribed(server.url, server.token(str(stays.id), "s1"), "sales:live") as kept,
        subscribed(server.url, server.token(str(goes.id), "s2"), "sales:live") as lost,
    ):

        async def publish(*numbers: int) -> None:
            for number in numbers:
                data = str(number).encode()
                await backends.brokers.publish(
                    PublishRequest(channel="sales:live", data=data, publication_id=uuid4().hex)
                )

        for number in range(20):
            await publish(number)
            seen = min(asked.values())
            if number % 5 == 0:
                await eventually(lambda seen=seen: min(asked.values()) > seen)
        await eventually(lambda: heard(kept) == heard(lost) == [*range(20)])
        async with database.transaction() as session:
            await auth.set_roles(session, goes.id, ("customer",))
        withdrawn = {"code": 2000, "reason": "permission withdrawn"}
        await eventually(lambda: heard(lost)[20:] == [withdrawn])
        await publish(20, 21)
        seen = asked[str(stays.id)]
        await eventually(lambda: asked[str(stays.id)] > seen + 2)
        await eventually(lambda: heard(kept) == [*range(22)])
        assert heard(lost)[20:] == [withdrawn]


async def test_a_subscription_outlives_a_short_outage_of_the_database(database: Database) -> None:
    async with database.transaction() as session:
        operator = await make_user(session, roles=("operator",))
    granted = await Checks(database).realtime_admin(asks(str(operator.id), "trace:t"))
    assert isinstance(granted, Granted)
    assert granted.again_at is not None
    assert granted.expires_at is not None
    assert granted.expires_at - granted.again_at > 10 * permissions.AGAIN_S
