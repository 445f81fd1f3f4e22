"""Without a database nothing is revoked; with one, see tests/integration/serve_app/server_api/test_router.py."""

import pytest

from serve_app.server_api import schemas, tokens
from serve_app.server_api.registry import Context, Refused, Shards
from tests.fixtures.hub import World


async def test_without_a_database_tokens_cannot_be_revoked() -> None:
    world = World()
    context = Context(Shards(world.brokers, world.sessions))
    with pytest.raises(Refused) as refused:
        await tokens.revoke_token(context, schemas.RevokeToken("jti"))
    assert refused.value.code == 108
    with pytest.raises(Refused):
        await tokens.invalidate_user_tokens(context, schemas.InvalidateUserTokens("u"))
    with pytest.raises(Refused):
        await tokens.block_user(context, schemas.BlockUser("u"))
    with pytest.raises(Refused):
        await tokens.unblock_user(context, schemas.UnblockUser("u"))
    await world.hub.stop()
