import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import select

from actors.brokers.contract import BrokerError
from actors.protocol.namespaces import Namespaces
from db.errors import DatabaseBusy, DatabaseUnavailable
from db.sessions.models import TokenRevocation
from serve_app.security.authenticator import WRONG_KEYS
from tests.factories.auth import make_api_key, make_user
from tests.fakes.brokers import FakeBrokers
from tests.fixtures.client import Api, assert_problem
from tests.fixtures.realtime import NAMESPACES

CONFIGURED = {"X-API-Key": "a server key of tests"}
CONFIGURED_OLD = "apikey a server key of tests"


@pytest.fixture
def brokers(api: Api) -> FakeBrokers:
    brokers = FakeBrokers(Namespaces.parse(NAMESPACES))
    api.resources.actors.brokers = brokers
    return brokers


@pytest.fixture
async def http(api: Api, brokers: FakeBrokers) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client() as client:
        yield client


async def key_with(api: Api, *scopes: str) -> dict[str, str]:
    async with api.database.transaction() as session:
        owner = await make_user(session, roles=("admin",))
        created = await make_api_key(session, owner, scopes=scopes)
    return {"X-API-Key": created.text}


async def test_the_configured_key_may_do_everything(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/publish", json={"channel": "room:1", "data": {"a": 1}}, headers=CONFIGURED)
    assert (answer.status_code, answer.json()) == (200, {"result": {"offset": 1, "epoch": "epoch"}})
    older = {"Authorization": "apikey a server key of tests"}
    assert (await http.post("/api/info", content=b"", headers=older)).json() == {"result": {"nodes": []}}
    assert (await http.post("/api/history_remove", json={"channel": "room:1"}, headers=CONFIGURED)).json() == {
        "result": {}
    }


async def test_without_a_valid_key_nothing_happens(http: httpx.AsyncClient, brokers: FakeBrokers) -> None:
    body = {"channel": "room:1", "data": 1}
    assert_problem(await http.post("/api/publish", json=body), 401, "authentication_required")
    assert (await http.post("/api/publish", json=body, headers={"X-API-Key": "wrong"})).status_code == 401
    assert brokers.streams["room:1"].top == 0


async def test_who_tries_keys_is_told_to_wait_before_the_database_is_asked(
    api: Api, http: httpx.AsyncClient, brokers: FakeBrokers
) -> None:
    api.resources.authenticator._wrong_keys_of._clock = lambda: 0.0  # however long the requests take
    good = await key_with(api, "realtime:publish")
    for number in range(WRONG_KEYS.quota):
        assert (await http.post("/api/info", headers={"X-API-Key": f"wrong-{number}"})).status_code == 401
    for path in ("/api/info", "/api/batch", "/api/v1/orders"):
        refused = await http.post(path, headers={"X-API-Key": f"wrong-{path}"})
        assert_problem(refused, 429, "too_many_wrong_keys")
        assert refused.headers["retry-after"] == "1"
    async with api.client(address="192.0.2.2") as elsewhere:
        body = {"channel": "room:1", "data": 1}
        assert (await elsewhere.post("/api/publish", json=body, headers=good)).status_code == 200


async def test_a_database_key_may_do_what_its_scopes_say(api: Api, http: httpx.AsyncClient) -> None:
    publisher = await key_with(api, "realtime:publish")
    body = {"channel": "room:1", "data": 1}
    assert (await http.post("/api/publish", json=body, headers=publisher)).status_code == 200
    assert_problem(await http.post("/api/presence", json=body, headers=publisher), 403, "permission_denied")
    admin = await key_with(api, "realtime:admin")
    for method in ("publish", "presence", "history", "disconnect"):
        answer = await http.post(f"/api/{method}", json={**body, "user": "u"}, headers=admin)
        assert answer.status_code == 200, method


async def test_errors_of_the_protocol_are_answers(http: httpx.AsyncClient, brokers: FakeBrokers) -> None:
    brokers.fail_with = BrokerError(111, "too many requests")
    answer = await http.post("/api/publish", json={"channel": "room:1", "data": 1}, headers=CONFIGURED)
    assert (answer.status_code, answer.json()) == (200, {"error": {"code": 111, "message": "too many requests"}})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b'{"x":' + b"[" * 100_000, 400),
        (b"[]", 200),
        (b'{"channel":""}', 200),
        (b"{}", 200),
    ],
)
async def test_bodies_that_cannot_be_read_and_those_that_lack_something(
    http: httpx.AsyncClient, body: bytes, status: int
) -> None:
    answer = await http.post("/api/publish", content=body, headers=CONFIGURED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, 107)


async def test_without_shards_it_is_unavailable(api: Api) -> None:
    async with api.client() as http:
        answer = await http.post("/api/publish", json={"channel": "room:1", "data": 1}, headers=CONFIGURED)
    assert_problem(answer, 503, "unavailable")


async def test_other_methods_are_not_found(http: httpx.AsyncClient) -> None:
    assert (await http.post("/api/nothing", json={}, headers=CONFIGURED)).status_code == 404
    assert (await http.get("/api/publish", headers=CONFIGURED)).status_code == 405


async def test_a_limited_key_stays_within_its_methods_and_namespaces(api: Api, http: httpx.AsyncClient) -> None:
    async with api.database.transaction() as session:
        owner = await make_user(session, roles=("admin",))
        created = await make_api_key(
            session, owner, scopes=("realtime:admin",), methods=("publish", "disconnect"), namespaces=("room",)
        )
    key = {"X-API-Key": created.text}
    body = {"channel": "room:1", "data": 1}
    assert (await http.post("/api/publish", json=body, headers=key)).status_code == 200
    assert_problem(
        await http.post("/api/publish", json={**body, "channel": "x"}, headers=key), 403, "permission_denied"
    )
    assert_problem(await http.post("/api/presence", json=body, headers=key), 403, "permission_denied")
    assert_problem(await http.post("/api/disconnect", json={"user": "u"}, headers=key), 403, "permission_denied")


async def test_a_batch_has_its_replies_at_the_top(http: httpx.AsyncClient) -> None:
    commands = [{"publish": {"channel": "room:1", "data": 1}}, {"disconnect": {"user": "u"}}, {"no": {}}]
    answer = await http.post("/api/batch", json={"commands": commands}, headers=CONFIGURED)
    assert answer.status_code == 200
    published, disconnected, unknown = answer.json()["replies"]
    assert published == {"publish": {"offset": 1, "epoch": "epoch"}}
    assert disconnected == {"disconnect": {}}
    assert unknown["error"]["code"] == 104
    for body, status in ((b"{", 400), (b'{"commands":5}', 200)):
        wrong = await http.post("/api/batch", content=body, headers=CONFIGURED)
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (status, 107)
    assert_problem(await http.post("/api/batch", json={"commands": []}), 401, "authentication_required")


async def test_tokens_are_revoked_in_rows_and_where_they_are_used(api: Api, http: httpx.AsyncClient) -> None:
    now = int(time.time())
    one = {"uid": "jti-1", "expire_at": now + 60}
    assert (await http.post("/api/revoke_token", json=one, headers=CONFIGURED)).json() == {"result": {}}
    user = {"user": "eve", "issued_before": now}
    assert (await http.post("/api/invalidate_user_tokens", json=user, headers=CONFIGURED)).json() == {"result": {}}
    part = {**user, "user": "bob", "channel": "news"}
    assert (await http.post("/api/invalidate_user_tokens", json=part, headers=CONFIGURED)).json() == {"result": {}}
    assert api.sessions.revoked_tokens == [
        ("", "jti-1", 0, ""),
        ("eve", "", now * 1000, ""),
        ("bob", "", now * 1000, "news"),
    ]
    async with api.database.transaction(read_only=True) as session:
        rows = {row.subject: row for row in (await session.scalars(select(TokenRevocation))).all()}
    assert int(rows["jti-1"].expire_at.timestamp()) == now + 60
    assert rows["eve"].issued_before is not None
    publisher = await key_with(api, "realtime:publish")
    assert_problem(await http.post("/api/revoke_token", json=one, headers=publisher), 403, "permission_denied")
    block = {"user": "mallory", "expire_at": now + 60}
    assert (await http.post("/api/block_user", json=block, headers=CONFIGURED)).json() == {"result": {}}
    assert (await http.post("/api/unblock_user", json=block, headers=CONFIGURED)).json() == {"result": {}}
    assert api.sessions.blocked == [("mallory", (now + 60) * 1000), ("mallory", 0)]
    assert_problem(await http.post("/api/block_user", json=block, headers=publisher), 403, "permission_denied")
    past = {"user": "mallory", "expire_at": now - 1}
    assert (await http.post("/api/block_user", json=past, headers=CONFIGURED)).json()["error"]["code"] == 107
    for method, body in (("revoke_token", {}), ("invalidate_user_tokens", {"user": ""}), ("block_user", {})):
        assert (await http.post(f"/api/{method}", json=body, headers=CONFIGURED)).json()["error"]["code"] == 107
    never = {"uid": "x", "expire_at": 10**18}
    assert (await http.post("/api/revoke_token", json=never, headers=CONFIGURED)).json()["error"]["code"] == 107


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("revoke_token", {"uid": "a\x00"}),
        ("invalidate_user_tokens", {"user": "a\x00"}),
        ("block_user", {"user": "a\x00"}),
        ("unblock_user", {"user": "a\x00"}),
        ("user_presence", {"users": ["a\x00"]}),
        ("set_user_status", {"users": ["ada"], "status": "away", "message": "a\x00"}),
    ],
)
async def test_a_value_that_cannot_be_stored_is_an_error_of_its_command(
    http: httpx.AsyncClient, method: str, body: dict[str, object]
) -> None:
    alone = await http.post(f"/api/{method}", json=body, headers=CONFIGURED)
    assert (alone.status_code, alone.json()["error"]["code"]) == (200, 107)
    commands = {"commands": [{method: body}, {"info": {}}]}
    refused, other = (await http.post("/api/batch", json=commands, headers=CONFIGURED)).json()["replies"]
    assert refused["error"]["code"] == 107
    assert "error" not in other


@pytest.mark.parametrize("error", [DatabaseUnavailable, DatabaseBusy])
async def test_a_database_that_is_away_fails_its_command_and_not_the_batch(
    api: Api, http: httpx.AsyncClient, brokers: FakeBrokers, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def away(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(api.database, "transaction", away)
    publish = {"publish": {"channel": "room:1", "data": 1}}
    commands = {"commands": [publish, {"revoke_token": {"uid": "x"}}, publish]}
    answer = await http.post("/api/batch", json=commands, headers=CONFIGURED)
    assert answer.status_code == 200
    first, failed, second = answer.json()["replies"]
    assert failed["error"]["code"] == 100
    assert (first["publish"]["offset"], second["publish"]["offset"]) == (1, 2)
    assert (await http.post("/api/revoke_token", json={"uid": "x"}, headers=CONFIGURED)).json() == failed


async def test_commands_of_older_sdks_are_answered_line_by_line(http: httpx.AsyncClient) -> None:
    lines = '{"method":"publish","params":{"channel":"room:1","data":{}}}\n{"method":"info","params":{}}\n'
    answer = await http.post("/api", content=lines, headers={"Authorization": CONFIGURED_OLD})
    assert answer.status_code == 200
    published, info = [json.loads(line) for line in answer.text.split("\n")]
    assert published == {"result": {"offset": 1, "epoch": "epoch"}}
    assert info == {"result": {"nodes": []}}
    broken = await http.post("/api", content="{", headers=CONFIGURED)
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, 107)
    assert_problem(await http.post("/api", content=lines), 401, "authentication_required")
