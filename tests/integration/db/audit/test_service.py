"""The audit trail: complete, without secrets, and not to be changed."""

from typing import Any

import pytest
from sqlalchemy import exc, text

from db.audit import service
from db.audit.callers import CALLER, Caller
from db.auth.models import User
from db.session import Database
from db.users import service as users
from tests.factories.auth import make_user
from tests.fixtures.transactions import in_transaction, rows


async def trail(database: Database, user: User) -> list[Any]:
    page = await in_transaction(database, lambda s: service.list_user_changes(s, user.id))
    return list(reversed(page.items))


async def test_every_change_of_an_account_names_who_made_it(database: Database) -> None:
    admin = await in_transaction(database, make_user)
    user = await in_transaction(database, make_user)
    await in_transaction(
        database, lambda s: users.update_user(s, user.id, {"full_name": "Ada"}), acting_user_id=admin.id
    )
    async with database.transaction(acting_user_id=admin.id) as session:
        await session.execute(text("DELETE FROM auth.users WHERE id = :id"), {"id": user.id})
    made, changed, deleted = await trail(database, user)
    assert (made.operation, made.changed_by, made.old_values) == ("INSERT", None, None)
    assert (changed.operation, changed.changed_by) == ("UPDATE", admin.id)
    assert set(changed.changed_fields) == {"full_name", "updated_at", "version"}
    assert (changed.old_values["full_name"], changed.new_values["full_name"]) == ("", "Ada")
    assert (deleted.operation, deleted.changed_by, deleted.new_values) == ("DELETE", admin.id, None)
    assert deleted.old_values["email"] == user.email


async def test_the_trail_keeps_what_changed_and_of_long_values_only_a_digest(database: Database) -> None:
    user = await in_transaction(database, make_user)
    long = {"note": "x" * 3_000}
    for metadata in (long, {"theme": "dark"}):
        await in_transaction(
            database,
            lambda s, metadata=metadata: users.update_user(s, user.id, {"metadata": metadata}),  # type: ignore[misc]
        )
    _, grown, shrunk = await trail(database, user)
    assert set(grown.new_values) == set(grown.old_values) == {"metadata", "updated_at", "version"}
    assert set(grown.new_values["metadata"]) == {"bytes", "sha256"}
    assert grown.new_values["metadata"] == shrunk.old_values["metadata"]
    assert shrunk.new_values["metadata"] == {"theme": "dark"}


async def test_the_name_of_one_transaction_never_appears_in_the_next(database: Database) -> None:
    admin, user = await in_transaction(database, make_user), await in_transaction(database, make_user)
    for acting in (admin.id, None):
        await in_transaction(
            database,
            lambda s, acting=acting: users.update_user(s, user.id, {"full_name": str(acting)}),  # type: ignore[misc]
            acting_user_id=acting,
        )
    assert [entry.changed_by for entry in await trail(database, user)] == [None, admin.id, None]


async def test_password_hashes_are_never_written_down_but_their_change_is(database: Database) -> None:
    user = await in_transaction(database, lambda s: make_user(s, password_hash="hash-one"))
    await in_transaction(database, lambda s: users.update_user(s, user.id, {"password_hash": "hash-two"}))
    assert "password_hash" in (await trail(database, user))[-1].changed_fields
    everything = str(await rows(database, "SELECT c::text FROM audit.user_changes c"))
    assert "hash-one" not in everything
    assert "hash-two" not in everything
    for entry in await trail(database, user):
        assert "password_hash" not in (entry.old_values or {}) | (entry.new_values or {})


async def test_signing_in_alone_is_no_change_of_the_account(database: Database) -> None:
    user = await in_transaction(database, make_user)
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.users SET last_login_at = now()"))
    assert len(await trail(database, user)) == 1


@pytest.mark.parametrize("table", ["user_changes", "entries"])
@pytest.mark.parametrize("change", ["UPDATE audit.{} SET id = DEFAULT", "DELETE FROM audit.{}"])
async def test_what_is_written_stays_written(database: Database, table: str, change: str) -> None:
    await in_transaction(database, make_user)

    async def tamper() -> None:
        async with database.transaction() as session:
            await session.execute(text(change.format(table)))

    with pytest.raises(exc.DBAPIError, match="append-only"):
        await tamper()


async def test_an_entry_says_whose_request_it_comes_from_and_a_job_s_says_none(database: Database) -> None:
    async with database.transaction() as session:
        asked = CALLER.set(Caller("192.0.2.1", "r-1"))
        try:
            await service.record(session, "door.opened", subject_type="door", subject_id=1)
        finally:
            CALLER.reset(asked)
        await service.record(session, "door.opened", subject_type="door", subject_id=2)
    page = await in_transaction(database, lambda s: service.list_entries(s, action="door.opened"))
    assert [(entry.ip, entry.request_id) for entry in page.items] == [(None, None), ("192.0.2.1", "r-1")]


async def test_entries_are_found_by_who_what_and_whom(database: Database) -> None:
    actor = await in_transaction(database, make_user)
    async with database.transaction() as session:
        for number in range(3):
            await service.record(
                session, "door.opened", subject_type="door", subject_id=number, actor_id=actor.id, details={"n": number}
            )

    async def found(**wanted: Any) -> list[str]:
        page = await in_transaction(database, lambda s: service.list_entries(s, **wanted))
        return [entry.subject_id for entry in page.items]

    assert await found(actor_id=actor.id) == ["2", "1", "0"]
    assert await found(action="door.opened", subject_type="door", subject_id="1") == ["1"]
    assert await found(action="door.opened", subject_type="window") == []
    assert await found(action="door.closed") == []
    first = await in_transaction(database, lambda s: service.list_entries(s, action="door.opened", limit=2))
    assert await found(action="door.opened", cursor=first.next, limit=2) == ["0"]
