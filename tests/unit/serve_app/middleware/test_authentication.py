"""Refusing wrong credentials."""

import json
from typing import Any

import pytest

from cluster.settings import ROOT
from serve_app.errors import CredentialInvalid
from serve_app.middleware.authentication import TOLERANT, AuthenticationMiddleware
from serve_app.security.authenticator import REFUSAL
from tests.fakes.asgi import Answer, Exchange


class Refusing:
    """An authenticator that believes nobody."""

    async def identify(self, scope: Any) -> None:
        scope[REFUSAL] = CredentialInvalid()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/orders", 401),
        ("/api/v1/auth/me", 401),
        ("/api/v1/auth/login", 200),
        ("/api/v1/auth/login/passkey", 200),
        ("/api/v1/auth/login/passkey/options", 200),
        ("/api/v1/auth/refresh", 200),
        ("/health", 200),
        ("/api/publish", 200),
    ],
)
async def test_where_a_wrong_credential_matters(path: str, status: int):
    app = Answer()
    middleware = AuthenticationMiddleware(app, authenticator=Refusing())  # type: ignore[arg-type]
    assert (await Exchange(path=path).through(middleware)).status == status
    assert (app.scope is None) is (status == 401)


def test_an_old_credential_is_in_nobody_s_way_to_a_new_one():
    """Whatever signs in, registers or recovers is open to all, and so is known by it."""
    paths = json.loads((ROOT / "openapi.json").read_text())["paths"]
    ways_in = {
        path
        for path, operations in paths.items()
        if path.startswith("/api/v1/auth/") and any(one.get("security") == [] for one in operations.values())
    }
    assert "/api/v1/auth/login/passkey" in ways_in
    assert ways_in == TOLERANT


class Believing:
    """An authenticator that believes everybody."""

    async def identify(self, scope: Any) -> None:
        scope["principal"] = "somebody"


@pytest.mark.parametrize(("own", "expected"), [([], "no-store"), ([(b"cache-control", b"no-cache")], "no-cache")])
async def test_what_depends_on_the_caller_is_not_kept(own: list[tuple[bytes, bytes]], expected: str):
    middleware = AuthenticationMiddleware(Answer(headers=own), authenticator=Believing())  # type: ignore[arg-type]
    assert (await Exchange().through(middleware)).headers["cache-control"] == expected
    assert (await Exchange(path="/health").through(middleware)).headers.get("cache-control") != "no-store"
