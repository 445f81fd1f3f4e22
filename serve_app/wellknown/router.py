"""Documents at addresses that standards name."""

from typing import Any

from fastapi import APIRouter, Response

from serve_app.dependencies import ResourcesDep
from serve_app.openapi_parts import PUBLIC
from serve_app.wellknown.schemas import KeySet

router = APIRouter(prefix="/.well-known", tags=["operations"])

KEYS_MAX_AGE_S = 300
"""A key is published this long before it signs."""


@router.get("/jwks.json", openapi_extra=PUBLIC, response_model=KeySet)
async def jwks(resources: ResourcesDep, response: Response) -> Any:
    """The public keys of our tokens (RFC 7517)."""
    response.headers["Cache-Control"] = f"public, max-age={KEYS_MAX_AGE_S}"
    return resources.keys.current().jwks()
