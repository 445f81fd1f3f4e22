"""Orders: stock is never oversold, statuses follow their way, and every step is published with its commit."""

import asyncio
from decimal import Decimal
from uuid import uuid4

import pytest

from db.auth.models import User
from db.errors import DomainError, InvalidInput, PreconditionFailed
from db.orders import service
from db.orders.errors import (
    MixedCurrencies,
    OrderNotFound,
    OutOfStock,
    PriceChanged,
    ProductUnavailable,
    StatusNotReachable,
)
from db.orders.models import Order
from db.orders.service import OrderLine
from db.orders.status import OrderStatus
from db.pagination import Cursor
from db.products import service as products
from db.products.models import Product
from db.session import Database
from tests.factories.auth import make_user
from tests.factories.orders import make_order
from tests.factories.products import make_product
from tests.fixtures.transactions import event_types, in_transaction, publications, refused, rows, value


@pytest.fixture
async def ada(database: Database) -> User:
    return await in_transaction(database, make_user)


async def product(database: Database, **values: object) -> Product:
    return await in_transaction(database, lambda s: make_product(s, **values))


async def stock_of(database: Database, one: Product) -> int:
    return int(await value(database, "SELECT stock FROM app.products WHERE id = :id", id=one.id))


async def place(database: Database, user: User, *lines: tuple[Product, int]) -> Order:
    wanted = [OrderLine(one.id, quantity) for one, quantity in lines]
    return await in_transaction(database, lambda s: service.place_order(s, user_id=user.id, lines=wanted))


async def test_an_order_keeps_names_and_prices_takes_stock_and_starts_its_history(
    database: Database, ada: User
) -> None:
    lamp = await product(database, name="Lamp", sku="L-1", price=Decimal("19.99"), stock=5)
    rope = await product(database, name="Rope", sku="R-1", price=Decimal("0.10"), stock=100)
    order = await place(database, ada, (lamp, 2), (rope, 30), (lamp, 1))
    assert order.order_number.startswith("M-1000")
    assert (order.status, order.item_count, order.total_amount, order.currency) == (
        "pending",
        2,
        Decimal("62.97"),
        "EUR",
    )
    assert [(i.position, i.sku, i.product_name, i.quantity, i.unit_price, i.line_total) for i in order.items] == [
        (1, "L-1", "Lamp", 3, Decimal("19.99"), Decimal("59.97")),
        (2, "R-1", "Rope", 30, Decimal("0.10"), Decimal("3.00")),
    ]
    assert [(step.previous, step.status, step.changed_by) for step in order.history] == [(None, "pending", ada.id)]
    assert (await stock_of(database, lamp), await stock_of(database, rope)) == (2, 70)
    await in_transaction(
        database, lambda s: products.update_product(s, lamp.id, {"name": "New lamp", "price": Decimal(1)})
    )
    kept = await in_transaction(database, lambda s: service.get_order(s, order.id))
    assert (kept.items[0].product_name, kept.items[0].unit_price) == ("Lamp", Decimal("19.99"))


async def test_placing_publishes_records_and_invalidates_in_its_transaction(database: Database, ada: User) -> None:
    lamp = await product(database)
    order = await place(database, ada, (lamp, 1))
    published = await publications(database, f"orders:updates#{ada.id}")
    assert [{k: m[k] for k in ("type", "order_id", "order_number", "status", "previous")} for m in published] == [
        {
            "type": "order.status",
            "order_id": str(order.id),
            "order_number": order.order_number,
            "status": "pending",
            "previous": None,
        }
    ]
    assert (await event_types(database))[-1] == "order.placed"
    tags = await rows(database, "SELECT tags FROM app.cache_invalidations ORDER BY id DESC LIMIT 1")
    assert list(tags[0][0]) == ["products:stock", f"product:{lamp.id}"]


async def test_fifty_orders_at_once_never_sell_more_than_there_is(database: Database) -> None:
    lamp = await product(database, stock=20)
    rope = await product(database, stock=1000)
    users = [await in_transaction(database, make_user) for _ in range(5)]

    async def attempt(number: int) -> bool:
        # Half of them name the two products the other way round: the order of locks must not depend on it.
        lines = [(lamp, 1), (rope, 3)]
        try:
            await place(database, users[number % 5], *(lines if number % 2 else lines[::-1]))
        except OutOfStock:
            return False
        return True

    outcomes = await asyncio.gather(*(attempt(number) for number in range(50)))
    assert sum(outcomes) == 20
    assert await stock_of(database, lamp) == 0
    assert await stock_of(database, rope) == 1000 - 3 * 20, "an order that failed took nothing at all"
    assert await value(database, "SELECT sum(quantity) FROM app.order_items WHERE product_id = :id", id=lamp.id) == 20


async def test_a_price_that_was_not_expected_is_said_and_nothing_is_ordered(database: Database, ada: User) -> None:
    lamp = await product(database, name="Lamp", price=Decimal("19.90"), stock=5)
    rope = await product(database, name="Rope", price=Decimal("0.10"), stock=5)

    def ordering(*lines: OrderLine):
        return lambda s: service.place_order(s, user_id=ada.id, lines=lines)

    for line in (OrderLine(lamp.id, 1, Decimal("18.90")), OrderLine(lamp.id, 1, Decimal("19.90"), "USD")):
        error = await refused(database, PriceChanged, ordering(OrderLine(rope.id, 1, Decimal("0.1"), "EUR"), line))
        assert error.details == {
            "lines": [{"product_id": str(lamp.id), "name": "Lamp", "price": "19.90", "currency": "EUR"}]
        }
    # The sum is the same, and still it is not what was shown.
    swapped = ordering(OrderLine(lamp.id, 1, Decimal("0.10")), OrderLine(rope.id, 1, Decimal("19.90")))
    assert len((await refused(database, PriceChanged, swapped)).details["lines"]) == 2
    assert await stock_of(database, lamp) == 5
    order = await in_transaction(database, ordering(OrderLine(lamp.id, 2, Decimal("19.9"), "EUR")))
    assert order.total_amount == Decimal("39.80")


async def test_what_is_short_is_named_and_nothing_changes(database: Database, ada: User) -> None:
    lamp, rope = await product(database, name="Lamp", stock=1), await product(database, stock=5)
    lines = [OrderLine(rope.id, 1), OrderLine(lamp.id, 2)]
    error = await refused(database, OutOfStock, lambda s: service.place_order(s, user_id=ada.id, lines=lines))
    assert error.details == {"lines": [{"product_id": str(lamp.id), "name": "Lamp", "available": 1}]}
    assert (await stock_of(database, lamp), await stock_of(database, rope)) == (1, 5)
    assert await value(database, "SELECT count(*) FROM app.orders") == 0
    assert await publications(database, f"orders:updates#{ada.id}") == []


async def test_unknown_and_removed_products_cannot_be_ordered(database: Database, ada: User) -> None:
    gone = await product(database)
    await in_transaction(database, lambda s: products.delete_product(s, gone.id))
    for product_id in (gone.id, uuid4()):
        lines = [OrderLine(product_id, 1)]
        error = await refused(
            database, ProductUnavailable, lambda s, w=lines: service.place_order(s, user_id=ada.id, lines=w)
        )  # type: ignore[misc]
        assert error.details == {"product_ids": [str(product_id)]}


async def test_one_order_has_one_currency(database: Database, ada: User) -> None:
    euro, dollar = await product(database), await product(database, currency="USD")
    lines = [OrderLine(euro.id, 1), OrderLine(dollar.id, 1)]
    await refused(database, MixedCurrencies, lambda s: service.place_order(s, user_id=ada.id, lines=lines))


@pytest.mark.parametrize(
    ("quantities", "field"),
    [
        ([], "lines"),
        ([0], "lines.0.quantity"),
        ([1, -1], "lines.1.quantity"),
        ([10_000, 1], "lines.1.quantity"),
        ([1] * 101, "lines"),
    ],
)
async def test_quantities_and_numbers_of_lines_have_bounds(
    database: Database, ada: User, quantities: list[int], field: str
) -> None:
    lamp = await product(database, stock=100_000)
    lines = [OrderLine(lamp.id, quantity) for quantity in quantities]
    error = await refused(database, InvalidInput, lambda s: service.place_order(s, user_id=ada.id, lines=lines))
    assert error.field == field


async def test_an_order_walks_its_way_and_each_step_is_heard(database: Database, ada: User) -> None:
    operator = await in_transaction(database, lambda s: make_user(s, roles=("operator",)))
    order = await in_transaction(database, lambda s: make_order(s, ada))
    way = ["paid", "packed", "shipped", "delivered"]

    async def move(status: str) -> Order:
        return await in_transaction(
            database, lambda s: service.change_status(s, order.id, status, changed_by=operator.id)
        )

    moved = [await move(status) for status in way]
    assert [step.status for step in moved] == way
    order = moved[-1]
    assert [(h.previous, h.status) for h in order.history[1:]] == list(zip(["pending", *way[:-1]], way, strict=True))
    assert {h.changed_by for h in order.history[1:]} == {operator.id}
    heard = await publications(database, f"orders:updates#{ada.id}")
    assert [m["status"] for m in heard] == ["pending", *way]
    notices = await publications(database, f"user:#{ada.id}")
    assert [n["notification"]["data"]["status"] for n in notices] == ["shipped", "delivered"]
    assert (await event_types(database)).count("order.status_changed") == 4
    await refused(
        database, StatusNotReachable, lambda s: service.change_status(s, order.id, "pending", changed_by=None)
    )


async def test_steps_cannot_be_skipped_taken_twice_or_invented(database: Database, ada: User) -> None:
    order = await in_transaction(database, lambda s: make_order(s, ada))
    error = await refused(
        database, StatusNotReachable, lambda s: service.change_status(s, order.id, "shipped", changed_by=None)
    )
    assert error.details == {"status": "pending", "reachable": ["cancelled", "paid"]}
    await refused(
        database, StatusNotReachable, lambda s: service.change_status(s, order.id, "pending", changed_by=None)
    )
    await refused(database, InvalidInput, lambda s: service.change_status(s, order.id, "lost", changed_by=None))
    await refused(database, OrderNotFound, lambda s: service.change_status(s, uuid4(), "paid", changed_by=None))


async def test_cancelling_returns_the_stock_once(database: Database, ada: User) -> None:
    lamp = await product(database, stock=5)
    order = await place(database, ada, (lamp, 3))
    cancelled = await in_transaction(
        database,
        lambda s: service.cancel_order(s, order.id, cancelled_by=ada.id, user_id=ada.id, reason="changed my mind"),
    )
    assert (cancelled.status, cancelled.history[-1].reason) == ("cancelled", "changed my mind")
    assert await stock_of(database, lamp) == 5
    await refused(database, StatusNotReachable, lambda s: service.cancel_order(s, order.id, cancelled_by=ada.id))
    assert await stock_of(database, lamp) == 5
    assert {"order.cancelled", "order.status_changed"} <= set(await event_types(database))


async def test_of_many_cancellations_at_once_one_returns_the_stock(database: Database, ada: User) -> None:
    lamp = await product(database, stock=5)
    order = await place(database, ada, (lamp, 3))

    async def cancel() -> bool:
        try:
            await in_transaction(database, lambda s: service.cancel_order(s, order.id, cancelled_by=ada.id))
        except StatusNotReachable:
            return False
        return True

    assert sum(await asyncio.gather(*(cancel() for _ in range(10)))) == 1
    assert await stock_of(database, lamp) == 5


async def test_cancelling_an_order_of_a_product_that_left_the_catalogue_works(database: Database, ada: User) -> None:
    lamp = await product(database, stock=5)
    order = await place(database, ada, (lamp, 3))
    await in_transaction(database, lambda s: products.delete_product(s, lamp.id))
    await in_transaction(database, lambda s: service.cancel_order(s, order.id, cancelled_by=ada.id))
    assert await stock_of(database, lamp) == 2


async def test_a_shipped_order_cannot_be_cancelled(database: Database, ada: User) -> None:
    order = await in_transaction(database, lambda s: make_order(s, ada, status=OrderStatus.SHIPPED))
    await refused(database, StatusNotReachable, lambda s: service.cancel_order(s, order.id, cancelled_by=ada.id))


async def test_the_order_of_somebody_else_does_not_exist(database: Database, ada: User) -> None:
    order = await in_transaction(database, lambda s: make_order(s, ada))
    stranger = await in_transaction(database, make_user)
    await refused(database, OrderNotFound, lambda s: service.get_order(s, order.id, user_id=stranger.id))
    await refused(
        database,
        OrderNotFound,
        lambda s: service.cancel_order(s, order.id, cancelled_by=stranger.id, user_id=stranger.id),
    )
    assert (
        await in_transaction(database, lambda s: service.get_order(s, order.id, user_id=ada.id))
    ).status == "pending"


async def test_a_stale_version_is_refused(database: Database, ada: User) -> None:
    order = await in_transaction(database, lambda s: make_order(s, ada))
    moved = await in_transaction(
        database, lambda s: service.change_status(s, order.id, "paid", changed_by=None, expected_version=order.version)
    )
    assert moved.version == order.version + 1
    await refused(
        database,
        PreconditionFailed,
        lambda s: service.change_status(s, order.id, "packed", changed_by=None, expected_version=order.version),
    )


async def test_an_order_advances_by_itself_to_its_end_and_no_further(database: Database, ada: User) -> None:
    order = await in_transaction(database, lambda s: make_order(s, ada))
    steps = [await in_transaction(database, lambda s: service.advance_order(s, order.id)) for _ in range(5)]
    assert steps == ["paid", "packed", "shipped", "delivered", None]


async def test_a_rolled_back_order_leaves_nothing_behind(database: Database, ada: User) -> None:
    lamp = await product(database, stock=5)

    async def place_then_fail() -> None:
        async with database.transaction() as session:
            await service.place_order(session, user_id=ada.id, lines=[OrderLine(lamp.id, 1)])
            raise DomainError

    with pytest.raises(DomainError):
        await place_then_fail()
    assert await stock_of(database, lamp) == 5
    assert await publications(database, f"orders:updates#{ada.id}") == []


async def test_lists_are_newest_first_filtered_and_paged_both_ways(database: Database, ada: User) -> None:
    placed = [await in_transaction(database, lambda s: make_order(s, ada)) for _ in range(5)]
    other = await in_transaction(database, make_order)
    await in_transaction(database, lambda s: service.cancel_order(s, placed[2].id, cancelled_by=ada.id))
    newest = [order.id for order in reversed(placed)]
    page = await in_transaction(database, lambda s: service.list_orders(s, user_id=ada.id, page=2, limit=2))
    assert ([o.id for o in page.items], page.total, page.pages) == (newest[2:4], 5, 3)
    assert (await in_transaction(database, service.list_orders)).total == 6
    only = await in_transaction(database, lambda s: service.list_orders(s, user_id=ada.id, status="cancelled"))
    assert [o.id for o in only.items] == [placed[2].id]
    seen, cursor = [], None
    for _ in range(3):
        part = await in_transaction(
            database,
            lambda s, c=cursor: service.list_orders_by_cursor(s, user_id=ada.id, cursor=c, limit=2),  # type: ignore[misc]
        )
        seen += [o.id for o in part.items]
        cursor = Cursor.from_payload(part.next.payload()) if part.next else None
    assert (seen, cursor) == (newest, None)
    assert other.id not in seen
