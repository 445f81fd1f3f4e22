from uuid import uuid4

import pytest

from db.session import Database
from serve_app.realtime.handlers import Caller, Handlers, Question
from serve_app.realtime.permissions import Checks, register
from tests.factories.auth import make_user
from tests.factories.conversations import make_conversation


def asks(user: str, channel: str) -> Question:
    return Question(Caller(user, "c"), "subscribe", channel)


async def test_only_participants_are_members(database: Database) -> None:
    async with database.transaction() as session:
        ann, bob, eve = [await make_user(session) for _ in range(3)]
        conversation = await make_conversation(session, [ann, bob])
    checks = Checks(database)
    channel = f"conversation:{conversation.id}"
    assert await checks.conversation_member(asks(str(ann.id), channel))
    assert not await checks.conversation_member(asks(str(eve.id), channel))
    assert not await checks.conversation_member(asks(str(ann.id), f"conversation:{uuid4()}"))


@pytest.mark.parametrize(
    ("user", "channel"),
    [("", "conversation:x"), ("u", "conversation:e9b1abfb-c53a-489f-bdb4-d03968335b1c")],
)
async def test_what_is_no_id_is_nobody(database: Database, user: str, channel: str) -> None:
    assert not await Checks(database).conversation_member(asks(user, channel))
    assert not await Checks(database).jobs_operator(asks(user, "jobs:x"))


async def test_only_who_sees_business_figures_hears_of_sales(database: Database) -> None:
    async with database.transaction() as session:
        analyst = await make_user(session, roles=("analyst",))
        customer = await make_user(session, roles=("customer",))
    checks = Checks(database)
    assert await checks.dashboard_reader(asks(str(analyst.id), "sales:live"))
    assert not await checks.dashboard_reader(asks(str(customer.id), "sales:live"))
    assert not await checks.dashboard_reader(asks("nobody", "sales:live"))


async def test_only_operators_hear_of_jobs(database: Database) -> None:
    async with database.transaction() as session:
        operator = await make_user(session, roles=("operator",))
        customer = await make_user(session, roles=("customer",))
    checks = Checks(database)
    assert await checks.jobs_operator(asks(str(operator.id), "jobs:all"))
    assert not await checks.jobs_operator(asks(str(customer.id), "jobs:all"))


async def test_only_who_administers_realtime_reads_traces(database: Database) -> None:
    async with database.transaction() as session:
        operator = await make_user(session, roles=("operator",))
        analyst = await make_user(session, roles=("analyst",))
    checks = Checks(database)
    assert await checks.realtime_admin(asks(str(operator.id), "trace:t"))
    assert not await checks.realtime_admin(asks(str(analyst.id), "trace:t"))
    assert not await checks.realtime_admin(asks("nobody", "trace:t"))


async def test_they_are_offered_under_the_names_that_namespaces_use(database: Database) -> None:
    handlers = Handlers(database)
    register(handlers)
    assert set(handlers.permissions) == {"conversation_member", "dashboard_reader", "jobs_operator", "realtime_admin"}
    with pytest.raises(ValueError, match="database"):
        register(Handlers())
