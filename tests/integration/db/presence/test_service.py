"""Statuses of users, and when they were last active."""

import pytest
from sqlalchemy import text

from db.errors import InvalidInput
from db.presence import service
from tests.factories.auth import make_session, make_user
from tests.fixtures.transactions import in_transaction


async def test_a_status_stands_until_it_is_replaced_or_expires(database):
    async def say(**what):
        return await in_transaction(database, lambda s: service.set_status(s, "u1", **what))

    known = await say(status="busy", message="in a meeting", expires_in_s=60)
    assert (known.status, known.message) == ("busy", "in a meeting")
    assert known.expires_at is not None
    assert known.last_active_at is not None
    known = await say(status="away")
    assert (known.status, known.message, known.expires_at) == ("away", "", None)
    await say(status="busy", expires_in_s=60)
    await in_transaction(
        database, lambda s: s.execute(text("UPDATE app.user_presence SET expires_at = now() - interval '1 second'"))
    )
    (known,) = await in_transaction(database, lambda s: service.read(s, ["u1"]))
    assert (known.status, known.expires_at) == ("", None)


@pytest.mark.parametrize(
    "what",
    [
        {"status": "sleepy"},
        {"status": "away", "message": "x" * 141},
        {"status": "away", "message": "\0"},
        {"status": "away", "expires_in_s": 0},
    ],
)
async def test_what_is_no_status_is_refused(database, what):
    with pytest.raises(InvalidInput):
        await in_transaction(database, lambda s: service.set_status(s, "u1", **what))


async def test_many_users_are_read_at_once_in_their_order(database):
    async def start(session):
        user = await make_user(session)
        await make_session(session, user)
        await service.touch(session, ["touched", "touched"])
        return str(user.id)

    signed_in = await in_transaction(database, start)
    asked = ["nobody", signed_in, "touched", "' OR 1=1"]
    found = await in_transaction(database, lambda s: service.read(s, asked))
    assert [known.user for known in found] == asked
    assert [known.last_active_at is not None for known in found] == [False, True, True, False]
    with pytest.raises(InvalidInput):
        await in_transaction(database, lambda s: service.read(s, ["u"] * 101))


async def test_what_is_forgotten_leaves_others_alone(database):
    async def say(session):
        for user in ("u1", "u2"):
            await service.set_status(session, user, status="busy")
        await service.forget(session, ["u1", "nobody"])

    await in_transaction(database, say)
    found = await in_transaction(database, lambda s: service.read(s, ["u1", "u2"]))
    assert [(known.status, known.last_active_at is not None) for known in found] == [("", False), ("busy", True)]
