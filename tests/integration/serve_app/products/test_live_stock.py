"""The shared poll of stock levels: what its callback answers, and who is given a signature."""

import json
from uuid import uuid4

import pytest
from sqlalchemy import text

from db.products import stock
from db.session import Database
from serve_app.products.live_stock import CALLBACK, CHANNEL, MAX_KEYS, SIGNED_FOR_S, TRACK, LiveStock
from serve_app.realtime.calls import CallError
from serve_app.realtime.handlers import Caller, Handlers, PolledItem
from serve_app.realtime.track_signature import verify
from tests.factories.products import make_product

SECRET = b"secret"
NOW = 1_800_000_000.0
SOMETHING = "97a91846-1ccb-446f-89c8-afbc7fdd9e71"


@pytest.fixture
def live(database: Database) -> LiveStock:
    return LiveStock(database, SECRET, lambda: NOW)


def asked(*keys: str, channel: str = CHANNEL) -> bytes:
    return json.dumps({"channel": channel, "keys": keys}).encode()


def test_both_are_offered(database: Database, live: LiveStock) -> None:
    handlers = Handlers(database)
    live.register(handlers)
    assert (list(handlers.polls), list(handlers.rpc_methods)) == ([CALLBACK], [TRACK])


async def test_what_changed_is_answered_and_what_is_gone_is_removed(database: Database, live: LiveStock) -> None:
    async with database.transaction() as session:
        one, two = [await make_product(session, stock=10) for _ in range(2)]
    ids, never = [str(one.id), str(two.id)], str(uuid4())
    found = await live.poll(CHANNEL, {**dict.fromkeys(ids, 0), never: 0, "no id": 4, ids[0].upper(): 0})
    assert sorted(found, key=lambda item: item.key) == sorted(
        [
            *(PolledItem(key, 1, b'{"stock":10}') for key in ids),
            PolledItem(never, 1, removed=True),
            PolledItem("no id", 5, removed=True),
            PolledItem(ids[0].upper(), 1, removed=True),
        ],
        key=lambda item: item.key,
    )
    async with database.transaction() as session:
        await stock.move(session, {one.id: -4})
        await session.execute(text("UPDATE app.products SET deleted_at = now() WHERE id = :id"), {"id": two.id})
    assert list(await live.poll(CHANNEL, dict.fromkeys(ids, 1))) == [
        PolledItem(ids[0], 2, b'{"stock":6}'),
        PolledItem(ids[1], 2, removed=True),
    ]
    assert list(await live.poll(CHANNEL, {ids[0]: 2})) == []


async def test_whoever_is_signed_in_is_given_a_signature_for_a_while(live: LiveStock) -> None:
    keys = [str(uuid4()), str(uuid4())]
    answer = json.loads(await live.track(Caller("u1", "c1"), asked(*keys)))
    assert verify(SECRET, answer["signature"], "u1", CHANNEL, keys, NOW) == NOW + SIGNED_FOR_S


@pytest.mark.parametrize(
    ("caller", "body", "code"),
    [
        (Caller("", "c1"), asked(SOMETHING), 103),
        (Caller("u1", "c1"), asked(SOMETHING, channel="stock:other"), 103),
        (Caller("u1", "c1"), asked("no id"), 107),
        (Caller("u1", "c1"), asked(), 107),
        (Caller("u1", "c1"), asked(*[SOMETHING] * (MAX_KEYS + 1)), 107),
        (Caller("u1", "c1"), b"[]", 107),
        (Caller("u1", "c1"), b"", 107),
    ],
)
async def test_refusals(live: LiveStock, caller: Caller, body: bytes, code: int) -> None:
    with pytest.raises(CallError) as refused:
        await live.track(caller, body)
    assert refused.value.error.code == code


async def test_without_a_secret_nothing_is_signed(database: Database) -> None:
    with pytest.raises(CallError) as refused:
        await LiveStock(database, b"", lambda: NOW).track(Caller("u1", "c1"), asked(str(uuid4())))
    assert refused.value.error.code == 108
