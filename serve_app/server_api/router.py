"""`POST /api/<method>`: 200 with `{"result": …}` or `{"error": {"code", "message"}}`, as server SDKs expect.

What is wrong with the request itself is an HTTP status: 400 for a body that is no JSON, 401 without a valid key, 403
for a key without the permission, 503 when the shards cannot be reached. JSON that lacks something is error 107 with
status 200: SDKs take every other status for a failure of the way there, and never look at the error. In a batch, where
a request holds many commands, everything but the key itself is an error of one reply.
"""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from actors.protocol import codes
from db.errors import PermissionDenied, Unavailable
from serve_app.dependencies import ResourcesDep
from serve_app.errors import AuthenticationRequired
from serve_app.resources import Resources
from serve_app.server_api import batch, stream
from serve_app.server_api.methods import METHODS
from serve_app.server_api.registry import FULL_GRANT, Context, Grant, Method, Shards, failure, outcome, within_reach

KEY_HEADER = "x-api-key"
KEY_SCHEME = "apikey"
"""`Authorization: apikey <key>`, which older SDKs send."""

router = APIRouter(prefix="/api", tags=["server-api"])

_encoder = msgspec.json.Encoder()

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


async def grant_of(request: Request, resources: Resources) -> Grant:
    """What the caller's key may do: the configured key everything, a database key what it says. Raises 401."""
    key = _key(request)
    if not key:
        raise AuthenticationRequired
    configured = resources.settings.server_api_key.get_secret_value()
    if configured and secrets.compare_digest(key.encode(), configured.encode()):
        return FULL_GRANT
    address = resources.addresses.find(request.scope)
    return Grant.of(await resources.authenticator.principal_of_key(key, address))


def _key(request: Request) -> str:
    key = request.headers.get(KEY_HEADER)
    if key is not None:
        return key
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == KEY_SCHEME else ""


def _context(resources: Resources, grant: Grant) -> Context:
    brokers, sessions = resources.actors.brokers, resources.actors.sessions
    if brokers is None or sessions is None:
        raise Unavailable("The realtime shards cannot be reached.")
    return Context(Shards(brokers, sessions), grant, resources.handlers, resources.database, resources.namespaces)


def _endpoint(method: Method) -> Callable[..., Awaitable[Response]]:
    async def endpoint(request: Request, resources: ResourcesDep) -> Response:
        grant = await grant_of(request, resources)
        if not grant.allows(method):
            raise PermissionDenied(f"this needs the permission '{method.permission}' and a key for '{method.name}'")
        context = _context(resources, grant)
        try:
            body = method.body.decode(await request.body() or b"{}")
        except _UNREADABLE as reason:
            return _bad_request(reason)
        if not within_reach(grant, method, body):
            raise PermissionDenied("The key is limited to other namespaces.")
        return _answer(await outcome(method.run(context, body)))

    return endpoint


@router.post("/batch", include_in_schema=False, response_model=None)
async def run_batch(request: Request, resources: ResourcesDep) -> Response:
    """Many commands at once: `{"replies": […]}`."""
    context = _context(resources, await grant_of(request, resources))
    try:
        body = batch.decoder.decode(await request.body() or b"{}")
    except _UNREADABLE as reason:
        return _bad_request(reason)
    return _answer(await batch.run_batch(context, METHODS, body))


@router.post("", include_in_schema=False, response_model=None)
async def run_stream(request: Request, resources: ResourcesDep) -> Response:
    """Commands as older server SDKs send them."""
    context = _context(resources, await grant_of(request, resources))
    try:
        answers = await stream.run_commands(context, METHODS, await request.body())
    except (ValueError, RecursionError) as reason:
        return _bad_request(reason)
    return Response(b"\n".join(map(_encoder.encode, answers)), media_type="application/json")


def _bad_request(reason: Exception) -> Response:
    status = 200 if isinstance(reason, msgspec.ValidationError) else 400
    return _answer(failure(codes.ERROR_BAD_REQUEST.code, f"bad request: {reason}"), status=status)


def _answer(content: Any, *, status: int = 200) -> Response:
    return Response(_encoder.encode(content), status_code=status, media_type="application/json")


for _name, _method in METHODS.items():
    router.add_api_route(
        f"/{_name}", _endpoint(_method), methods=["POST"], name=_name, include_in_schema=False, response_model=None
    )
