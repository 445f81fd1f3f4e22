"""A hostile user on the running stack, by hand: what is not theirs stays closed, whatever they send."""

import hashlib
import hmac
import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

from serve_app.security.keys import KeyFile
from serve_app.security.tokens import TokenIssuer
from tests.fixtures.issuer import ED25519, SECRET, pem, sign
from tests.fixtures.people import Person
from tests.fixtures.raw_clients import RawClient, own_token, raw_client, replicas, server_api
from tests.fixtures.stack import RunningStack

OTHERS = [
    ("user:#victim", 103),
    ("user:#victim,mallory2", 103),
    ("orders:updates#victim", 103),
    ("exports:progress#victim", 103),
    ("$room:secret", 103),
    ("$user:#mallory", 103),
    ("conversation:00000000-0000-0000-0000-000000000000", 103),
    ("sales:live", 103),
    ("trace:anything", 103),
    ("no-such-namespace:1", 102),
    ("user:#victim\x00", 107),
    ("room:" + "x" * 300, 107),
]
"""Channels of others, and the error that somebody without a right to them gets."""


@pytest.fixture
async def mallory(stack: RunningStack) -> AsyncIterator[RawClient]:
    async with raw_client(f"{stack.http_url}/connection", token=own_token(stack, "mallory")) as client:
        assert client.code is None
        yield client


def issuer(stack: RunningStack) -> TokenIssuer:
    return TokenIssuer.from_settings(stack.settings)


@pytest.mark.parametrize(("channel", "code"), OTHERS, ids=[repr(channel)[:30] for channel, _ in OTHERS])
async def test_what_belongs_to_others_is_refused(mallory: RawClient, channel: str, code: int) -> None:
    answers = {
        "subscribe": await mallory.ask("subscribe", channel=channel, recover=True, epoch="", offset=0),
        "history": await mallory.ask("history", channel=channel, limit=10),
        "presence": await mallory.ask("presence", channel=channel),
        "publish": await mallory.ask("publish", channel=channel, data=1),
    }
    found = {kind: answer.get("error", {}).get("code") for kind, answer in answers.items()}
    assert found["subscribe"] == code
    assert set(found.values()) <= {code, 103, 107, 108}, found
    assert mallory.code is None


@pytest.mark.parametrize("kind", ["clients", "users"])
async def test_who_is_where_others_talk_is_not_shown_as_a_map_either(mallory: RawClient, kind: str) -> None:
    channel = f"${kind}:conversation:00000000-0000-0000-0000-000000000000"
    answer = await mallory.ask("subscribe", channel=channel, type=2 if kind == "clients" else 3, phase=2)
    assert answer["error"]["code"] == 103


async def test_subscription_tokens_open_what_they_name_for_whom_they_name(stack: RunningStack) -> None:
    base = f"{stack.http_url}/connection"
    channel = f"$room:{secrets.token_hex(4)}"

    async def attempt(token: Any, **body: Any) -> tuple[int | None, int | None]:
        """(error, close code) of a subscription with this token."""
        async with raw_client(base, token=own_token(stack, "mallory")) as client:
            made = token(client) if callable(token) else token
            answer = await client.ask("subscribe", **{"channel": channel, "token": made, **body})
            return answer.get("error", {}).get("code"), client.code

    mine = issuer(stack).subscription(subject="mallory", channel=channel)
    assert await attempt(mine) == (None, None)

    def bound(client: RawClient) -> str:
        return issuer(stack).subscription(subject="mallory", channel=channel, client=client.id)

    assert await attempt(bound) == (None, None)
    for stolen in (
        issuer(stack).subscription(subject="victim", channel=channel),
        issuer(stack).subscription(subject="mallory", channel=channel, client="c7e0d8a4-another-connection"),
        issuer(stack).subscription(subject="mallory", channel="$room:another"),
    ):
        assert await attempt(stolen) == (None, 3500)
    assert await attempt(mine, channel="$room:another") == (None, 3500)
    for wrong in (own_token(stack, "mallory"), mine[:-4] + "AAAA", "x" * 40_000, ".."):
        assert await attempt(wrong) == (103, None), wrong[:50]


def forged(stack: RunningStack) -> dict[str, str]:
    """Connection tokens that must open nothing."""
    keys = KeyFile.from_settings(stack.settings).current()
    good = own_token(stack, "victim")
    header, claims = jwt.get_unverified_header(good), jwt.decode(good, options={"verify_signature": False})
    public = pem(keys.signing)
    now = int(time.time())

    def made(key: Any, algorithm: str, payload: dict[str, Any] = claims, **headers: Any) -> str:
        return jwt.api_jws.PyJWS().encode(
            json.dumps(payload).encode(), key, algorithm, {**header, "alg": algorithm, **headers}
        )

    def by_hand(head: dict[str, Any], secret: bytes | None = None) -> str:
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        signature = _encoded(hmac.digest(secret, signed, hashlib.sha256)) if secret is not None else b""
        return b".".join([signed, signature]).decode()

    foreign = {"sub": "victim", "exp": now + 60, "iat": now}
    return {
        "alg none": by_hand({**header, "alg": "none"}),
        "alg none of a foreign issuer": by_hand({"alg": "none", "typ": "JWT"}),
        "alg nOnE": by_hand({**header, "alg": "nOnE"}, b"x"),
        "our kid, another's key": made(ED25519, "EdDSA"),
        "our kid, the shared secret": made(SECRET, "HS256"),
        "our public key as a shared secret": by_hand({**header, "alg": "HS256"}, public),
        "our public key as the issuer's secret": by_hand({"alg": "HS256", "typ": "JWT"}, public),
        "unknown kid": made(ED25519, "EdDSA", kid="nobody"),
        "kid that is a path": made(ED25519, "EdDSA", kid="../../../../dev/null"),
        "key of its own": made(ED25519, "EdDSA", jwk={"kty": "OKP", "crv": "Ed25519", "x": "AA"}),
        "address of its own": made(ED25519, "EdDSA", jku="http://127.0.0.1:1/keys"),
        "critical": made(keys.signing, "EdDSA", crit=["b64"], b64=True),
        "for another audience": made(keys.signing, "EdDSA", {**claims, "aud": "mobula-api"}),
        "of another issuer": made(keys.signing, "EdDSA", {**claims, "iss": "https://evil.test"}),
        "not yet": made(keys.signing, "EdDSA", {**claims, "nbf": now + 3600}),
        "an access token": made(keys.signing, "EdDSA", claims, typ="at+jwt"),
        "a subscription token": issuer(stack).subscription(subject="victim", channel="room:1"),
        "a user who is a list": made(keys.signing, "EdDSA", {**claims, "sub": ["victim"]}),
        "a user of a book's length": sign({**foreign, "sub": "v" * 256}, "HS256", SECRET),
        "foreign, wrong secret": sign(foreign, "HS256", SECRET[::-1]),
        "foreign, another algorithm": sign(foreign, "HS512", SECRET),
        "oversized": sign({**foreign, "info": "x" * 20_000}, "HS256", SECRET),
        "cut": good[:-10],
        "two dots": "..",
        "no text": "\x00\x01",
    }


def _encoded(part: bytes) -> bytes:
    return urlsafe_b64encode(part).rstrip(b"=")


async def test_forged_tokens_open_nothing(stack: RunningStack) -> None:
    found = {}
    for name, token in forged(stack).items():
        async with raw_client(f"{stack.http_url}/connection", token=token) as client:
            found[name] = (client.replies.get(1, {}).get("error", {}).get("code"), client.code)
    assert {name: ends for name, ends in found.items() if ends != (None, 3500)} == {}


async def test_an_expired_token_is_said_to_be_so_and_opens_nothing(stack: RunningStack) -> None:
    expired = sign({"sub": "victim", "exp": int(time.time()) - 60}, "HS256", SECRET)
    async with raw_client(f"{stack.http_url}/connection", token=expired) as client:
        assert client.replies[1]["error"]["code"] == 109
        await client.ask("subscribe", channel="room:1")
        assert await client.ended() == 3501
    async with raw_client(f"{stack.http_url}/connection", token=own_token(stack, "mallory")) as client:
        assert await client.ask("refresh", token=expired) == {}
        assert await client.ended() == 3005


async def test_nobody_becomes_somebody_else_by_a_refresh(stack: RunningStack) -> None:
    for token in (own_token(stack, "victim"), forged(stack)["our kid, another's key"], own_token(stack, "")):
        async with raw_client(f"{stack.http_url}/connection", token=own_token(stack, "mallory")) as client:
            assert await client.ask("refresh", token=token) == {}
            assert await client.ended() == 3500


@pytest.mark.parametrize(
    "frame",
    [
        '{"id":2,"connect":{}}', '{"id":0,"publish":{"channel":"room:1","data":1}}', '{"id":2}', "{}{}", "[]", "\x00",
        '{"id":2,"subscribe":{}}', '{"id":-1,"ping":{}}', '{"id":99999999999,"ping":{}}', '{"id":2,"send":{"data":1}}',
        "[" * 1000, '{"id":2,"rpc":{"data":' + "[" * 500 + "]" * 500 + "}}", '{"id":2,"subscribe":{"channel":5}}',
    ],
)  # fmt: skip
async def test_what_is_no_protocol_ends_the_connection_with_a_code(mallory: RawClient, frame: str) -> None:
    await mallory.send(frame)
    assert await mallory.ended() in (3501, 3508)


async def test_a_guessed_session_carries_no_commands(stack: RunningStack) -> None:
    everywhere = [*await replicas(stack), f"{stack.http_url}/connection"]
    async with raw_client(everywhere[0], "http_stream", token=own_token(stack, "victim")) as victim:
        result = victim.replies[1]["connect"]
        session, node = result["session"], result["node"]
        other_node = secrets.token_hex(16)
        command = json.dumps({"id": 9, "publish": {"channel": "room:1", "data": "mallory was here"}})
        guesses = [
            ("", node), ("A", node), (session[:-1], node), (session + "A", node), (session.swapcase(), node),
            (session, other_node), (session, ""), (secrets.token_urlsafe(32), node), ("\ud800", node),
        ]  # fmt: skip
        async with httpx.AsyncClient() as http:
            for base in everywhere:
                for guessed, at in guesses:
                    body = json.dumps({"session": guessed, "node": at, "data": command})
                    answer = await http.post(f"{base}/emulation", content=body.encode())
                    assert answer.status_code in (400, 404), (guessed, at, answer.text)
        assert "error" in await victim.ask("ping"), "the connection lives"
        assert 9 not in victim.replies


async def test_a_narrow_key_of_the_server_api_does_what_it_says_and_no_more(stack: RunningStack) -> None:
    async with httpx.AsyncClient(base_url=stack.http_url, timeout=30) as http:
        admin = {"email": "admin@mobula.localhost", "password": stack.demo_password, "mode": "bearer"}
        session = (await http.post("/api/v1/auth/login", json=admin)).json()
        bearer = {"Authorization": f"Bearer {session['access_token']}"}

        async def key(**limits: Any) -> str:
            body = {"name": f"narrow-{secrets.token_hex(4)}", **limits}
            made = await http.post("/api/v1/auth/api-keys", json=body, headers=bearer)
            assert made.status_code == 201, made.text
            secret: str = made.json()["key"]
            return secret

        publisher = await key(scopes=["realtime:publish"], namespaces=["room"])
        reader = await key(scopes=["realtime:read"])
        one_method = await key(scopes=["realtime:admin"], methods=["presence"])

        async def status(secret: str, method: str, /, **body: Any) -> int:
            answer = await http.post(f"/api/{method}", json=body, headers={"X-API-Key": secret})
            return answer.status_code if answer.status_code != 200 else 0 if "result" in answer.json() else -1

        assert await status(publisher, "publish", channel="room:1", data=1) == 0
        for channel in ("user:#victim", "orders:updates#victim", "default-one", "$ledger:1", "/room/1", "room\x00:1"):
            assert await status(publisher, "publish", channel=channel, data=1) == 403, channel
        for method, body in (
            ("history", {"channel": "room:1"}), ("disconnect", {"user": "victim"}), ("disconnect", {"client": "c"}),
            ("subscribe", {"user": "victim", "channel": "room:1"}), ("revoke_token", {"uid": "j"}),
            ("send", {"user": "victim", "data": 1}), ("rpc", {"method": "x"}), ("channels", {}), ("info", {}),
        ):  # fmt: skip
            assert await status(publisher, method, **body) == 403, method
        assert await status(reader, "presence", channel="room:1") == 0
        assert await status(reader, "publish", channel="room:1", data=1) == 403
        assert await status(reader, "invalidate_user_tokens", user="victim") == 403
        assert await status(one_method, "presence", channel="room:1") == 0
        assert await status(one_method, "history", channel="room:1") == 403
        for none in ("", "x", publisher[:-1], publisher.upper(), f"{publisher} "):
            if none.strip() != publisher:
                assert await status(none, "publish", channel="room:1", data=1) == 401, none

        # What may not be done alone may not be done among others.
        commands = [
            {"publish": {"channel": "room:1", "data": 1}}, {"publish": {"channel": "user:#victim", "data": 1}},
            {"broadcast": {"channels": ["room:1", "user:#victim"], "data": 1}}, {"disconnect": {"user": "victim"}},
        ]  # fmt: skip
        answer = await http.post("/api/batch", json={"commands": commands}, headers={"X-API-Key": publisher})
        first, *others = answer.json()["replies"]
        assert "publish" in first
        assert "mallory" not in answer.text
        for reply in others:
            parts = reply["broadcast"]["responses"] if "broadcast" in reply else [reply]
            assert [part["error"]["code"] for part in parts if "error" in part] == [103]


async def test_the_server_api_needs_a_key_and_a_person_s_session_is_none(stack: RunningStack) -> None:
    person = await Person.register(stack.http_url)
    try:
        answer = await person.http.post("/api/publish", json={"channel": "room:1", "data": 1})
        assert answer.status_code == 401
        answer = await person.http.post("/api/v1/realtime/traces", json={"user": "victim"})
        assert answer.status_code == 403
        nonsense = await server_api(stack, "publish", key="nonsense", channel="room:1", data=1)
        assert nonsense["code"] == "api_key_invalid"
    finally:
        await person.close()
