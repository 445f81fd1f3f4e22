"""Tokens for the WebSocket."""

from typing import Any

from fastapi import APIRouter, Response

from db.notifications.service import personal_channel
from serve_app.dependencies import LoginPrincipal, ResourcesDep
from serve_app.openapi_parts import problems
from serve_app.realtime_tokens.schemas import RealtimeToken
from serve_app.security.tokens import CONNECTION_TTL_S

router = APIRouter(prefix="/realtime", tags=["realtime"])


@router.post("/token", response_model=RealtimeToken, responses=problems(403))
async def create_realtime_token(principal: LoginPrincipal, resources: ResourcesDep, response: Response) -> Any:
    """A token of a minute's life for `connect`. The socket then lives as long as the login session."""
    token = resources.issuer.connection(
        subject=str(principal.user_id),
        session_id=str(principal.session_id),
        info={"name": principal.username},
        expire_at=principal.session_expires_at,
        subs={personal_channel(principal.user_id): {}},
    )
    response.headers["Cache-Control"] = "no-store"
    return RealtimeToken(token=token, expires_in=CONNECTION_TTL_S, url=resources.settings.realtime_public_url)
