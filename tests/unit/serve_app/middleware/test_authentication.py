"""Refusing wrong credentials."""

from typing import Any

import pytest

from serve_app.errors import CredentialInvalid
from serve_app.middleware.authentication import AuthenticationMiddleware
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
