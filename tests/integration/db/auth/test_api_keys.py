"""API keys."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from db.auth import service
from db.auth.errors import ApiKeyInvalid, ApiKeyNotFound, ScopeNotHeld
from db.errors import InvalidInput
from db.session import Database
from tests.factories.auth import make_api_key, make_user
from tests.fixtures.transactions import in_transaction, refused, rows, value


async def test_a_key_stands_for_its_owner_limited_to_its_scopes(database: Database) -> None:
    user = await in_transaction(database, lambda s: make_user(s, roles=("analyst",)))
    made = await in_transaction(database, lambda s: make_api_key(s, user, scopes=["orders:read", "users:read"]))
    found = await in_transaction(database, lambda s: service.verify_api_key(s, made.text))
    assert found.identity.user.id == user.id
    assert found.identity.permissions == {"orders:read", "users:read"}
    await in_transaction(database, lambda s: service.set_roles(s, user.id, ["customer"]))
    narrowed = await in_transaction(database, lambda s: service.verify_api_key(s, made.text))
    assert narrowed.identity.permissions == {"orders:read"}, "a key can never do more than its owner"


async def test_the_secret_is_not_stored(database: Database) -> None:
    made = await in_transaction(database, make_api_key)
    secret = made.text.split("_", 3)[3].rpartition("_")[0]
    assert secret not in str(await rows(database, "SELECT k::text FROM auth.api_keys k"))
    assert secret not in str(await rows(database, "SELECT e::text FROM audit.entries e"))


async def test_a_key_cannot_get_what_its_owner_has_not(database: Database) -> None:
    user = await in_transaction(database, make_user)
    error = await refused(database, ScopeNotHeld, lambda s: make_api_key(s, user, scopes=["jobs:manage"]))
    assert error.details == {"scopes": ["jobs:manage"]}
    await refused(database, InvalidInput, lambda s: make_api_key(s, user, scopes=["worlds:rule"]))
    await refused(database, InvalidInput, lambda s: make_api_key(s, user, ip_allow_list=["not-a-network"]))


@pytest.mark.parametrize("change", ["revoked_at = now()", "expires_at = now() - interval '1 second'"])
async def test_ended_keys_are_refused(database: Database, change: str) -> None:
    made = await in_transaction(database, make_api_key)
    async with database.transaction() as session:
        await session.execute(text(f"UPDATE auth.api_keys SET {change}"))
    await refused(database, ApiKeyInvalid, lambda s: service.verify_api_key(s, made.text))


async def test_damaged_and_foreign_keys_are_refused(database: Database) -> None:
    made = await in_transaction(database, make_api_key)
    other = await in_transaction(database, make_api_key)
    flipped = made.text[:-1] + ("0" if made.text[-1] != "0" else "1")
    for wrong in (
        "",
        "sk_live_x",
        flipped,
        made.text + "x",
        other.text.replace(other.key.public_id, made.key.public_id),
    ):
        await refused(database, ApiKeyInvalid, lambda s, wrong=wrong: service.verify_api_key(s, wrong))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("ip", "allowed"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("192.0.2.1", False), (None, False), ("2001:db8::5", True)],
)
async def test_a_key_bound_to_networks_works_only_there(database: Database, ip: str | None, allowed: bool) -> None:
    made = await in_transaction(database, lambda s: make_api_key(s, ip_allow_list=["10.0.0.0/8", "2001:db8::/32"]))
    if allowed:
        await in_transaction(database, lambda s: service.verify_api_key(s, made.text, ip=ip))
    else:
        await refused(database, ApiKeyInvalid, lambda s: service.verify_api_key(s, made.text, ip=ip))


async def test_use_is_noted_once_a_minute(database: Database) -> None:
    made = await in_transaction(database, lambda s: make_api_key(s, expires_in=timedelta(days=1)))
    await in_transaction(database, lambda s: service.verify_api_key(s, made.text))
    first = await value(database, "SELECT last_used_at FROM auth.api_keys")
    await in_transaction(database, lambda s: service.verify_api_key(s, made.text))
    assert first is not None
    assert await value(database, "SELECT last_used_at FROM auth.api_keys") == first


async def test_only_the_owner_revokes_and_only_once(database: Database) -> None:
    made = await in_transaction(database, make_api_key)
    stranger = await in_transaction(database, make_user)
    await refused(database, ApiKeyNotFound, lambda s: service.revoke_api_key(s, stranger.id, made.key.id))
    await in_transaction(database, lambda s: service.revoke_api_key(s, made.key.user_id, made.key.id))
    await refused(database, ApiKeyNotFound, lambda s: service.revoke_api_key(s, made.key.user_id, made.key.id))
    assert await in_transaction(database, lambda s: service.list_api_keys(s, made.key.user_id)) == []
    await refused(database, ApiKeyInvalid, lambda s: service.verify_api_key(s, made.text))


async def test_a_key_is_limited_to_methods_and_namespaces(database: Database) -> None:
    made = await in_transaction(
        database, lambda s: make_api_key(s, methods=["publish", "broadcast", "publish"], namespaces=["room"])
    )
    found = await in_transaction(database, lambda s: service.verify_api_key(s, made.text))
    assert (found.key.methods, found.key.namespaces) == (["broadcast", "publish"], ["room"])
    error = await refused(database, InvalidInput, lambda s: make_api_key(s, methods=["no method"]))
    assert error.field == "methods.0"
    await refused(database, InvalidInput, lambda s: make_api_key(s, namespaces=["room", "Room:"]))


async def test_a_replaced_key_goes_on_for_the_overlap_and_ends(database: Database) -> None:
    life = timedelta(days=90)
    old = await in_transaction(database, lambda s: make_api_key(s, expires_in=life, namespaces=["room"]))
    user_id = old.key.user_id
    new = await in_transaction(
        database, lambda s: service.rotate_api_key(s, user_id, old.key.id, overlap=timedelta(hours=1))
    )
    for text_ in (old.text, new.text):
        found = await in_transaction(database, lambda s, t=text_: service.verify_api_key(s, t))  # type: ignore[misc]
        assert found.key.namespaces == ["room"]
    assert (new.key.replaces, new.key.scopes, new.key.name) == (old.key.id, old.key.scopes, old.key.name)
    ends = "SELECT expires_at - now() FROM auth.api_keys WHERE id = :id"
    assert await value(database, ends, id=old.key.id) <= timedelta(hours=1)
    assert await value(database, ends, id=new.key.id) > timedelta(days=89), "a new life, as long as the old one's"
    entries = await rows(database, "SELECT action, details FROM audit.entries WHERE action = 'api_key.rotated'")
    assert entries == [("api_key.rotated", {"replaced_by": str(new.key.id), "overlap_s": 3600})]
    assert new.text.split("_")[3] not in str(await rows(database, "SELECT k::text FROM auth.api_keys k"))


async def test_without_overlap_the_old_key_ends_at_once(database: Database) -> None:
    old = await in_transaction(database, make_api_key)
    user_id = old.key.user_id
    new = await in_transaction(database, lambda s: service.rotate_api_key(s, user_id, old.key.id))
    await refused(database, ApiKeyInvalid, lambda s: service.verify_api_key(s, old.text))
    assert new.key.expires_at is None, "a key without an end is replaced by one without an end"
    await refused(database, ApiKeyNotFound, lambda s: service.rotate_api_key(s, user_id, old.key.id))


async def test_only_the_owner_replaces_and_within_bounds(database: Database) -> None:
    made = await in_transaction(database, make_api_key)
    stranger = await in_transaction(database, make_user)
    await refused(database, ApiKeyNotFound, lambda s: service.rotate_api_key(s, stranger.id, made.key.id))
    for overlap in (timedelta(seconds=-1), timedelta(days=31)):
        error = await refused(
            database,
            InvalidInput,
            lambda s, o=overlap: service.rotate_api_key(s, made.key.user_id, made.key.id, overlap=o),  # type: ignore[misc]
        )
        assert error.field == "overlap"
