"""Which version of the API a request means: by path, by `Accept`, or by `?version`."""

import re
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.errors import NotAcceptable, domain_problem
from serve_app.middleware.context import request_headers
from serve_app.middleware.response import HeaderBlock, response_notes

VERSIONS = ("1",)
ROOT = "/api/"
VENDOR_TYPE = re.compile(rb"application/vnd\.mobula\.v(\d+)\+json")
IN_PATH = re.compile(r"/api/v(\d+)(?:/|$)")
VERSION_HEADER = b"api-version"
VARY = (b"vary", b"Accept, Origin")
UNNAMED = HeaderBlock(VARY)
NAMED = {version: HeaderBlock(VARY, (VERSION_HEADER, version.encode())) for version in VERSIONS}


class VersioningMiddleware:
    """Rewrites `/api/products` to `/api/v1/products` when the request names a version elsewhere.

    `/api/<method>` without a version stays as it is: those addresses belong to the realtime server API.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path: str = scope["path"] if scope["type"] == "http" else ""
        if not path.startswith(ROOT):
            await self._app(scope, receive, send)
            return
        in_path = IN_PATH.match(path)
        named = in_path.group(1) if in_path else _named_version(scope)
        if named is not None and named not in VERSIONS:
            await domain_problem(scope, NotAcceptable(details={"versions": list(VERSIONS)}))(scope, receive, send)
            return
        if named is not None and in_path is None:
            scope["path"] = f"{ROOT}v{named}/{path.removeprefix(ROOT)}"
            scope["raw_path"] = scope["path"].encode()
        response_notes(scope).blocks.append(UNNAMED if named is None else NAMED[named])
        await self._app(scope, receive, send)


def _named_version(scope: Scope) -> str | None:
    """The version in the query (which is taken out of it) or in Accept; None when there is none."""
    query: bytes = scope.get("query_string", b"")
    if b"version=" in query:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        chosen = [value for name, value in pairs if name == "version"]
        if chosen:
            scope["query_string"] = urlencode([pair for pair in pairs if pair[0] != "version"]).encode()
            return chosen[-1]
    found = VENDOR_TYPE.search(request_headers(scope).get(b"accept", b""))
    return found.group(1).decode() if found else None
