"""`POST /api/<method>`: 200 with `{"result": …}` or `{"error": {"code", "message"}}`, as server SDKs expect.

What is wrong with the request itself is an HTTP status: 400 for a body that cannot be read, 401 without a valid key,
403 for a key without the permission, 503 when the shards cannot be reached.
"""

import secrets
from collections.abc import Awaitable, Callable

import msgspec
from fastapi import APIRouter, Request, Response

from actors.brokers.contract import BrokerError
from db.errors import PermissionDenied, Unavailable
from serve_app.dependencies import ResourcesDep
from serve_app.errors import AuthenticationRequired
from serve_app.resources import Resources
from serve_app.server_api.methods import METHODS, Method, Refused, Shards

KEY_HEADER = "x-api-key"
KEY_SCHEME = "apikey"
"""`Authorization: apikey <key>`, which older SDKs send."""

router = APIRouter(prefix="/api", tags=["server-api"])

_encoder = msgspec.json.Encoder()


async def authorise(request: Request, resources: Resources, permission: str) -> None:
    """Let the configured key do everything, and a database key what its scopes say. Raises 401 or 403."""
    key = _key(request)
    if not key:
        raise AuthenticationRequired
    configured = resources.settings.server_api_key.get_secret_value()
    if configured and secrets.compare_digest(key.encode(), configured.encode()):
        return
    address = resources.addresses.find(request.scope)
    principal = await resources.authenticator.principal_of_key(key, address)
    if not (principal.may(permission) or principal.may("realtime:admin")):
        raise PermissionDenied(f"this needs the permission '{permission}'")


def _key(request: Request) -> str:
    key = request.headers.get(KEY_HEADER)
    if key is not None:
        return key
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == KEY_SCHEME else ""


def _endpoint(method: Method) -> Callable[..., Awaitable[Response]]:
    async def endpoint(request: Request, resources: ResourcesDep) -> Response:
        await authorise(request, resources, method.permission)
        brokers, sessions = resources.actors.brokers, resources.actors.sessions
        if brokers is None or sessions is None:
            raise Unavailable("The realtime shards cannot be reached.")
        try:
            body = method.body.decode(await request.body() or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as reason:
            return _answer(400, error=(107, f"bad request: {reason}"))
        try:
            result = await method.run(Shards(brokers, sessions), body)
        except (BrokerError, Refused) as reason:
            return _answer(200, error=(reason.code, reason.message))
        return Response(_encoder.encode({"result": result}), media_type="application/json")

    return endpoint


def _answer(status: int, *, error: tuple[int, str]) -> Response:
    body = _encoder.encode({"error": {"code": error[0], "message": error[1]}})
    return Response(body, status_code=status, media_type="application/json")


for _name, _method in METHODS.items():
    router.add_api_route(
        f"/{_name}", _endpoint(_method), methods=["POST"], name=_name, include_in_schema=False, response_model=None
    )
