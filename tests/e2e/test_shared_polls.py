"""Shared polls with the unmodified JavaScript SDK, the only one that knows them: against a server in this process, and
live stock on the whole stack.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import httpx
import pytest

from serve_app.products import live_stock
from serve_app.realtime.application import RealtimeApplication
from serve_app.realtime.handlers import Handlers
from serve_app.realtime.track_signature import sign
from tests.fixtures.people import Person
from tests.fixtures.polls import CHANNEL, POLL_NAMESPACES, SECRET, Backend
from tests.fixtures.realtime_server import FakeBackends, realtime_settings, serve_realtime
from tests.fixtures.sdk import JavaScriptSdk
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually


def signature(keys: Sequence[str], *, secret: bytes = SECRET) -> str:
    now = int(time.time())
    return sign(secret, "u1", CHANNEL, keys, issued_at=now, expires_at=now + 600)


@pytest.mark.parametrize("delta", ["", "fossil"])
@pytest.mark.parametrize("protocol", ["json", "protobuf"])
async def test_tracked_values_arrive_change_end_and_survive_a_reconnect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, delta: str
) -> None:
    backend = Backend()
    monkeypatch.setattr(Handlers, "discover", lambda handlers: handlers.poll("prices", backend))
    namespaces = tmp_path / "namespaces.yaml"
    namespaces.write_text(POLL_NAMESPACES)
    secret = SECRET.decode()
    settings = realtime_settings(tmp_path, namespaces_file=namespaces, realtime_shared_poll_secret=secret)
    application = RealtimeApplication(settings, FakeBackends(settings).connect)
    sdk = JavaScriptSdk(protocol=protocol)
    values = sdk.seen.maps.setdefault(CHANNEL, {})
    async with serve_realtime(application, settings) as server:

        async def token() -> str:
            return server.token()

        try:
            await sdk.connect(server.url, token)
            await sdk.poll_subscribe(CHANNEL, signature, delta=delta)
            backend.values = {"a": (1, b'{"n":1}'), "b": (1, b'"b"')}
            await sdk.poll_track(CHANNEL, "a", "b")
            await eventually(lambda: values == {"a": {"n": 1}, "b": "b"})
            backend.values = {"a": (2, b'{"n":2}'), "b": (-2, b"")}
            await eventually(lambda: values == {"a": {"n": 2}})
            for version in range(3, 7):
                text = "größer und lang genug für einen Unterschied " * 3 + str(version)
                backend.values["a"] = (version, f'"{text}"'.encode())
                await eventually(lambda text=text: values == {"a": text})

            hub = application.hub
            assert hub is not None
            hub.on_disconnect([peer.connection.client for peer in hub.peers], 3000, "try again")
            backend.values["a"] = (7, b"3")
            await eventually(lambda: values == {"a": 3})
            await sdk.poll_untrack(CHANNEL, "a")
            await eventually(lambda: not any(poller.poll.keys for poller in hub.polls.pollers))
            assert sdk.seen.poll_errors == []

            sdk.sign_with(CHANNEL, lambda keys: signature(keys, secret=b"forged"))
            await sdk.poll_track(CHANNEL, "c")
            await eventually(lambda: sdk.seen.poll_errors == [103])
        finally:
            await sdk.close()


STOCK = live_stock.CHANNEL


@pytest.fixture
async def database(stack_page: RunningStack) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(stack_page.database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def products(database: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[list[str]]:
    """Three of our own, so that nobody else's orders change them."""
    rows = await database.fetch(
        "INSERT INTO app.products (category_id, sku, name, price, stock) "
        "SELECT (SELECT id FROM app.categories LIMIT 1), gen_random_uuid(), 'Polled', 1, 5 "
        "FROM generate_series(1, 3) RETURNING id"
    )
    ids = [str(row[0]) for row in rows]
    yield ids
    await database.execute("DELETE FROM app.products WHERE id = ANY ($1::uuid[])", ids)


async def put(database: "asyncpg.Connection[asyncpg.Record]", product: str, stock: int) -> None:
    """As orders do it: nothing is published."""
    await database.execute(
        "UPDATE app.products SET stock = $2, version = version + 1 WHERE id = $1::uuid", product, stock
    )


async def calls(stack: RunningStack, outcome: str) -> float:
    """How often the callback was called in the whole cluster, with this outcome."""
    async with httpx.AsyncClient(base_url=stack.http_url, timeout=10) as http:
        text = (await http.get("/metrics")).text
    found = re.search(rf'^shared_polls_total{{callback="product_stock",outcome="{outcome}"}} (\S+)$', text, re.M)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("protocol", ["json", "protobuf"])
async def test_stock_is_live_for_everybody_and_asked_for_once(
    stack_page: RunningStack,
    ada: Person,
    database: "asyncpg.Connection[asyncpg.Record]",
    products: list[str],
    protocol: str,
) -> None:
    shoppers = [JavaScriptSdk(protocol=protocol) for _ in range(6)]
    seen = [shopper.seen.maps.setdefault(STOCK, {}) for shopper in shoppers]
    try:
        for shopper in shoppers:
            await shopper.connect(stack_page.ws_url, ada.connection_token)
            await shopper.poll_subscribe(STOCK, live_stock.TRACK)
            await shopper.poll_track(STOCK, *products)
        await eventually(lambda: all(values == {key: {"stock": 5} for key in products} for values in seen), 30)
        before, began = await calls(stack_page, "answered"), time.monotonic()
        for stock in range(20, 25):
            await put(database, products[0], stock)
            await eventually(lambda stock=stock: all(values[products[0]] == {"stock": stock} for values in seen), 30)
        made, elapsed = await calls(stack_page, "answered") - before, time.monotonic() - began
        # Two processes, one call per second; what the metric is behind, it may also be ahead.
        assert made <= elapsed * 1.2 + 6
        await database.execute("UPDATE app.products SET deleted_at = now() WHERE id = $1::uuid", products[1])
        await eventually(lambda: all(products[1] not in values for values in seen), 30)
        assert all(shopper.seen.poll_errors == [] for shopper in shoppers)
        assert all(values[products[2]] == {"stock": 5} for values in seen)
    finally:
        for shopper in shoppers:
            await shopper.close()


async def test_a_backend_that_hangs_is_waited_for_and_then_everything_is_there(
    stack_page: RunningStack, ada: Person, database: "asyncpg.Connection[asyncpg.Record]", products: list[str]
) -> None:
    sdk = JavaScriptSdk()
    values = sdk.seen.maps.setdefault(STOCK, {})
    try:
        await sdk.connect(stack_page.ws_url, ada.connection_token)
        await sdk.poll_subscribe(STOCK, live_stock.TRACK)
        await sdk.poll_track(STOCK, products[0])
        await eventually(lambda: values == {products[0]: {"stock": 5}}, 30)
        failures = await _failed(stack_page)
        async with database.transaction():
            await database.execute("LOCK TABLE app.products IN ACCESS EXCLUSIVE MODE")
            await put(database, products[0], 6)

            async def has_failed() -> bool:
                return await _failed(stack_page) > failures

            await eventually(has_failed, 60)
            assert values == {products[0]: {"stock": 5}}
        await eventually(lambda: values == {products[0]: {"stock": 6}}, 60)
        assert (sdk.seen.disconnected, sdk.seen.poll_errors) == ([], [])
    finally:
        await sdk.close()


async def _failed(stack: RunningStack) -> float:
    return sum(await asyncio.gather(*(calls(stack, outcome) for outcome in ("failed", "timed out"))))


async def test_who_may_no_longer_track_a_key_hears_no_more_of_it(
    stack_page: RunningStack,
    ada: Person,
    bob: Person,
    database: "asyncpg.Connection[asyncpg.Record]",
    products: list[str],
) -> None:
    secret = (stack_page.paths.secrets / "shared_poll_secret").read_text().strip().encode()
    key = products[0]
    may_track = [True]

    def signed(keys: Sequence[str]) -> str:
        now = int(time.time())
        signs_with = secret if may_track[0] else b"no longer"
        return sign(signs_with, ada.user_id, STOCK, keys, issued_at=now, expires_at=now + 2)

    revoked, other = JavaScriptSdk(), JavaScriptSdk()
    lost, kept = [sdk.seen.maps.setdefault(STOCK, {}) for sdk in (revoked, other)]
    try:
        await revoked.connect(stack_page.ws_url, ada.connection_token)
        await other.connect(stack_page.ws_url, bob.connection_token)
        await revoked.poll_subscribe(STOCK, signed)
        await other.poll_subscribe(STOCK, live_stock.TRACK)
        for sdk in (revoked, other):
            await sdk.poll_track(STOCK, key)
        await eventually(lambda: lost == kept == {key: {"stock": 5}}, 30)
        may_track[0] = False
        await eventually(lambda: lost == {} and 103 in revoked.seen.poll_errors, 60)
        await put(database, key, 9)
        await eventually(lambda: kept == {key: {"stock": 9}}, 30)
        assert lost == {}
        assert revoked.seen.disconnected == other.seen.disconnected == other.seen.poll_errors == []
    finally:
        await revoked.close()
        await other.close()
