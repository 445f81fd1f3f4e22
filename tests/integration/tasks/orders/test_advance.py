"""An order takes a step only once per step, whoever else moves it."""

from sqlalchemy import text

from db.orders import service
from tests.factories.orders import make_order
from tests.fixtures.jobs import Bench


async def placed(bench: Bench) -> str:
    async with bench.database.transaction() as session:
        order = await make_order(session)
        await session.execute(text("TRUNCATE jobs.jobs, jobs.queue"))
    return str(order.id)


async def status(bench: Bench) -> str:
    async with bench.database.transaction() as session:
        return str(await session.scalar(text("SELECT status FROM app.orders")))


async def test_the_same_step_twice_moves_it_once_and_makes_one_next_step(bench: Bench) -> None:
    order_id = await placed(bench)
    for _ in range(2):
        await bench.enqueue("orders.advance", {"order_id": order_id, "status": "pending"}, queue="orders")
    jobs = await bench.claim()
    outcomes = [await bench.run(job) for job in jobs]
    assert [outcome.result for outcome in outcomes] == [{"status": "paid"}, {"skipped": "status is paid"}]
    async with bench.database.transaction() as session:
        following = (
            await session.execute(
                text("SELECT args FROM jobs.jobs JOIN jobs.queue USING (id) WHERE state = 'deferred'")
            )
        ).scalars()
        assert list(following) == [{"order_id": order_id, "status": "paid"}]


async def test_a_cancelled_order_stays_cancelled(bench: Bench) -> None:
    order_id = await placed(bench)
    await bench.enqueue("orders.advance", {"order_id": order_id, "status": "pending"}, queue="orders")
    (job,) = await bench.claim()
    async with bench.database.transaction() as session:
        (identity,) = (await session.execute(text("SELECT id FROM app.orders"))).scalars()
        await service.cancel_order(session, identity, cancelled_by=None)
    assert (await bench.run(job)).result == {"skipped": "status is cancelled"}
    assert await status(bench) == "cancelled"


async def test_a_zombie_moves_nothing(bench: Bench) -> None:
    order_id = await placed(bench)
    await bench.enqueue("orders.advance", {"order_id": order_id, "status": "pending"}, queue="orders")
    (job,) = await bench.claim()
    async with bench.database.transaction() as session:
        await session.execute(text("UPDATE jobs.queue SET lease_no = lease_no + 1"))
    assert (await bench.run(job)).state == "cancelled"
    assert await status(bench) == "pending"
