"""HEAD wherever there is GET: the same answer, without its body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ASKED = "mobula.head"


class HeadOnGetMiddleware:
    """Routes see GET; the body is dropped on its way out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        scope[_ASKED] = True
        scope["method"] = "GET"  # in place: the outer layers read the matched route from this very scope

        async def send_headers_only(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["method"] = "HEAD"  # the server reads this very scope too, and would miss the body
            elif message["type"] == "http.response.body":
                message = {"type": "http.response.body", "body": b"", "more_body": message.get("more_body", False)}
            await send(message)

        await self._app(scope, receive, send_headers_only)


def show_head(scope: Scope) -> None:
    """Let a response that is made now see HEAD, if that was asked for: one that would read a whole file for nothing."""
    if scope.get(_ASKED):
        scope["method"] = "HEAD"
