"""Session events reach every handler in order; what a handler writes, it writes once."""

import pytest
from sqlalchemy import text

from db.session_events import service
from tasks.session_events import analytics, deliver
from tasks.session_events.handlers import Handlers
from tests.fixtures.roster import enters, leaves, roster_of

DONE = ("session_events.deliver", "succeeded")


@pytest.fixture
def handlers(monkeypatch) -> Handlers:
    registry = Handlers()
    monkeypatch.setattr(deliver, "_found", registry)
    return registry


async def record(url, *batches):
    async with roster_of(url, "h1") as store:
        for number, batch in enumerate(batches, 1):
            await store.record("h1", number, batch)


async def test_every_handler_hears_everything_in_order(bench, database_url, handlers, monkeypatch):
    heard: dict[str, list[tuple[str, str]]] = {"a": [], "b": []}

    def hears(name):
        async def handle(session, events):
            heard[name] += [(event.kind, event.client) for event in events]

        return handle

    handlers.on("a", hears("a"))
    handlers.on("b", hears("b"), kinds={"disconnected"})
    monkeypatch.setattr(deliver, "BATCH", 2)
    await record(database_url, [enters("c1"), enters("c2")], [leaves("c2"), leaves("c1")])
    assert await bench.drain() == [DONE]
    assert heard["a"] == [("connected", "c1"), ("connected", "c2"), ("disconnected", "c2"), ("disconnected", "c1")]
    assert heard["b"] == [("disconnected", "c2"), ("disconnected", "c1")]
    await bench.enqueue("session_events.deliver", {})
    assert await bench.drain() == [DONE]
    assert len(heard["a"]) == 4, "nothing came twice"


async def test_a_failing_handler_keeps_its_order_and_no_other_back(bench, database_url, handlers):
    heard, broken = [], True

    async def good(session, events):
        heard.append("good")

    async def bad(session, events):
        await session.execute(text("INSERT INTO jobs.cron_fires VALUES ('bad was here', now(), NULL)"))
        if broken:
            raise RuntimeError("not today")
        heard.extend(event.kind for event in events)

    handlers.on("bad", bad)
    handlers.on("good", good)
    await record(database_url, [enters("c1")])
    assert await bench.drain() == [DONE]
    async with bench.database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM jobs.cron_fires")) == 0, "half its work stayed"
        row = (await session.execute(text("SELECT * FROM app.session_event_handlers WHERE name = 'bad'"))).one()
        assert (row.position, row.failures, row.error) == (0, 1, "RuntimeError('not today')")
    broken = False
    assert await bench.drain(time_passes=True) == [DONE]
    assert heard == ["good", "connected"]


async def living(bench):
    async with bench.database.transaction() as session:
        found = await session.execute(text("SELECT unique_key FROM jobs.jobs ORDER BY 1"))
        return list(found.scalars())


async def test_a_failing_handler_begets_one_job_however_much_happens(bench, database_url, handlers):
    heard = []

    async def good(session, events):
        heard.extend(event.client for event in events)

    async def bad(session, events):
        raise RuntimeError("not today")

    handlers.on("bad", bad)
    handlers.on("good", good)
    async with roster_of(database_url, "h1") as store:
        for number in range(1, 6):
            await store.record("h1", number, [enters(f"c{number}")])
            await bench.drain()
            assert await living(bench) == ["session_events.deliver:bad"]
    assert heard == ["c1", "c2", "c3", "c4", "c5"], "the good one waits for nobody"
    await bench.make_due()
    (job,) = await bench.claim()
    assert job.args == {"handler": "bad"}
    outcome = await bench.run(job)
    assert outcome.state == "failed"
    await bench.settle(job, outcome)
    assert await living(bench) == ["session_events.deliver:bad"], "it waits again, under its key"


async def test_a_slow_handler_begets_one_job_however_much_happens(bench, database_url, handlers):
    async def handle(session, events):
        return None

    handlers.on("slow", handle)
    async with bench.database.transaction() as session:
        await service.register_handlers(session, ["slow"])
    async with bench.database.transaction() as session, roster_of(database_url, "h1") as store:
        await service.lock_handler(session, "slow")
        for number in range(1, 6):
            await store.record("h1", number, [enters(f"c{number}")])
            await bench.drain()
            assert await living(bench) == ["session_events.deliver"]
        await bench.enqueue("session_events.deliver", {})
        assert await bench.drain() == [DONE], "another waits already: this one is not needed"
    assert await bench.drain(time_passes=True) == [DONE]


async def test_events_as_jobs_exactly_one_each(bench, database_url, handlers):
    handlers.enqueue("mailer", "mail.send", kinds={"disconnected"}, queue="letters")
    await record(database_url, [enters("c1"), leaves("c1", code=3001)])
    (job,) = await bench.claim()
    await bench.settle(job, await bench.run(job))
    (made,) = await bench.claim()
    assert (made.kind, made.queue, made.args["client"], made.args["code"]) == ("mail.send", "letters", "c1", 3001)
    assert made.args["id"] > 0


async def test_events_that_are_committed_while_the_job_runs_are_not_forgotten(bench, database_url, handlers):
    """The job gives its key up first, so the commit that comes too late for it makes another."""
    heard = []

    async def handle(session, events):
        heard.extend(event.client for event in events)

    handlers.on("a", handle)
    await record(database_url, [enters("c1")])
    (job,) = await bench.claim()
    outcome = await bench.run(job)
    async with roster_of(database_url) as store:
        await store.record("h1", 2, [enters("c2")])
    await bench.settle(job, outcome)
    assert heard == ["c1"]
    assert await bench.drain() == [DONE]
    assert heard == ["c1", "c2"]


async def test_a_handler_that_somebody_else_serves_is_tried_again(bench, database_url, handlers):
    async def handle(session, events):
        return None

    handlers.on("a", handle)
    await record(database_url, [enters("c1")])
    async with bench.database.transaction() as session:
        await service.register_handlers(session, ["a"])
    async with bench.database.transaction() as session:
        await service.lock_handler(session, "a")
        (job,) = await bench.claim()
        outcome = await bench.run(job)
    assert outcome.state == "snoozed"
    await bench.settle(job, outcome)
    assert await bench.drain(time_passes=True) == [DONE]


async def test_ours_counts_each_event_once(bench, database_url, handlers):
    analytics.register(handlers)
    await record(database_url, [enters("c1"), leaves("c1")])
    await bench.drain()
    await bench.enqueue("session_events.deliver", {})
    await bench.drain()
    async with bench.database.transaction() as session:
        kinds = (await session.scalars(text("SELECT event_type FROM app.events ORDER BY id"))).all()
    assert kinds == ["session.connected", "session.disconnected"]


def test_ours_is_found():
    assert analytics.NAME in deliver.found_handlers().by_name
