"""Tokens of another issuer over real sockets: a shared secret, and keys that a real server publishes and rotates."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from cluster.settings import Settings
from serve_app.realtime.application import RealtimeApplication
from serve_app.security import jwks as jwks_module
from serve_app.security.tokens import TokenIssuer
from tests.fixtures.issuer import P256, RSA, SECRET, Issuer, jwk, publishing, sign
from tests.fixtures.realtime_server import FakeBackends, RealtimeServer, realtime_settings, serve_realtime
from tests.fixtures.signing import pem


class Outcome:
    """What came of one connect: a result, an error code or a close code."""

    def __init__(self, answer: dict[str, Any] | None, closed: int = 0) -> None:
        self.result: dict[str, Any] = (answer or {}).get("connect", {})
        self.error = (answer or {}).get("error", {}).get("code", 0)
        self.closed = closed


async def outcome(server: RealtimeServer, token: str) -> Outcome:
    async with connect(server.url) as socket:
        await socket.send(json.dumps({"id": 1, "connect": {"token": token}}))
        try:
            return Outcome(json.loads(str(await socket.recv()).split("\n")[0]))
        except ConnectionClosed as ended:
            return Outcome(None, ended.rcvd.code if ended.rcvd is not None else 1006)


def application(settings: Settings) -> RealtimeApplication:
    return RealtimeApplication(settings, FakeBackends(settings).connect)


async def test_a_shared_secret_opens_connections_and_private_channels(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path, realtime_token_hmac_secret=SECRET, realtime_token_issuer="https://id.test")
    now = int(time.time())
    base = {"sub": "42", "iss": "https://id.test", "exp": now + 60, "iat": now}
    async with serve_realtime(application(settings), settings) as server:
        good = await outcome(server, sign(base, "HS256", SECRET))
        assert good.result["expires"] is True
        assert 0 < good.result["ttl"] <= 60
        assert (await outcome(server, server.token())).result["client"], "our own tokens work beside it"
        assert (await outcome(server, sign({**base, "exp": now - 60}, "HS256", SECRET))).error == 109
        for bad in (
            sign(base, "HS512", SECRET),
            sign(base, "HS256", SECRET[::-1]),
            sign({**base, "iss": "other"}, "HS256", SECRET),
            sign({**base, "channel": "$room:1"}, "HS256", SECRET),
            sign(base, "RS256"),
        ):
            assert (await outcome(server, bad)).closed == 3500
        async with connect(server.url) as socket:
            token = sign({**base, "channel": "$room:1", "info": {"seat": 1}}, "HS256", SECRET)
            frame = [
                {"id": 1, "connect": {"token": sign(base, "HS256", SECRET)}},
                {"id": 2, "subscribe": {"channel": "$room:1", "token": token}},
                {"id": 3, "subscribe": {"channel": "$room:2"}},
            ]
            await socket.send("\n".join(map(json.dumps, frame)))
            answers: dict[int, Any] = {}
            while len(answers) < 3:
                for line in str(await socket.recv()).split("\n"):
                    message = json.loads(line)
                    if "id" in message:
                        answers[message["id"]] = message
            assert answers[2]["subscribe"]["expires"] is True
            assert answers[3]["error"]["code"] == 103


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with publishing(jwk(RSA, "first")) as found:
        yield found


async def test_published_keys_are_fetched_once_and_again_when_they_rotate(
    tmp_path: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = realtime_settings(tmp_path, realtime_token_jwks_url=issuer.url, realtime_token_user_claim="login")
    async with serve_realtime(application(settings), settings) as server:
        first = sign({"login": "ann"}, "RS256", kid="first")
        for _ in range(3):
            assert (await outcome(server, first)).result["client"]
        assert issuer.requests == 1
        second = sign({"login": "ann"}, "ES256", kid="second")
        assert (await outcome(server, second)).closed == 3500, "asked a moment ago: there is no such key"
        assert issuer.requests == 1
        issuer.keys = [jwk(P256, "second")]
        monkeypatch.setattr(jwks_module, "ASK_AGAIN_S", 0.0)
        assert (await outcome(server, second)).result["client"]
        monkeypatch.undo()
        assert (await outcome(server, first)).closed == 3500, "withdrawn"


async def test_an_issuer_that_is_down_is_a_reason_to_try_again(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path, realtime_token_jwks_url="http://127.0.0.1:1/keys")
    async with serve_realtime(application(settings), settings) as server:
        down = await outcome(server, sign({"sub": "ann"}, "RS256", kid="first"))
        assert down.error == 100


async def test_a_connection_token_of_a_new_key_of_ours_opens_a_socket_that_is_older_than_the_key(
    tmp_path: Path,
) -> None:
    settings = realtime_settings(tmp_path)
    assert settings.signing_key_file is not None
    old = settings.signing_key_file.read_bytes()
    async with serve_realtime(application(settings), settings) as server:
        before = server.token()
        assert (await outcome(server, before)).result["client"]
        settings.signing_key_file.write_bytes(pem(Ed25519PrivateKey.generate()) + old)
        replaced = TokenIssuer.from_settings(settings)  # an api process that has just begun
        newer = replaced.connection(subject="u1", session_id="s1", info={}, expire_at=None)
        assert (await outcome(server, newer)).result["client"]
        assert (await outcome(server, before)).result["client"]
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        stranger = TokenIssuer.from_settings(realtime_settings(elsewhere))
        unknown = stranger.connection(subject="u1", session_id="s1", info={}, expire_at=None)
        assert (await outcome(server, unknown)).closed == 3500
