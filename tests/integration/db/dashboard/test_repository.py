"""The figures."""

from decimal import Decimal

from sqlalchemy import text

from db.dashboard import repository
from db.dashboard.repository import Figures
from db.orders.status import OrderStatus
from db.session import Database
from tests.factories.auth import make_user
from tests.factories.conversations import make_conversation
from tests.factories.notifications import make_notification
from tests.factories.orders import make_order
from tests.factories.products import make_product
from tests.fixtures.transactions import in_transaction


async def test_an_empty_shop_has_figures_too(database: Database) -> None:
    user = await in_transaction(database, make_user)
    found = await in_transaction(database, lambda s: repository.figures(s, viewer_id=user.id, only_own=False))
    assert (found.orders_total, found.revenue_today, found.products, found.users) == (0, Decimal(0), 0, 1)
    assert len(found.daily) == 14
    assert found.daily[-1].day == found.generated_at.date()
    assert set(found.orders_by_status) == {status.value for status in OrderStatus}


async def test_orders_are_everybodys_or_ones_own_and_cancelled_ones_earn_nothing(database: Database) -> None:
    async with database.transaction() as session:
        ada, lin = await make_user(session), await make_user(session)
        lamp = await make_product(session, price=Decimal("10.00"), stock=100)
        await make_order(session, ada, [lamp], quantity=2)
        await make_order(session, ada, [lamp], quantity=5, status=OrderStatus.CANCELLED)
        await make_order(session, lin, [lamp], quantity=1, status=OrderStatus.DELIVERED)
        old = await make_order(session, lin, [lamp], quantity=3)
        await session.execute(
            text("UPDATE app.orders SET created_at = now() - interval '3 days' WHERE id = :id"), {"id": old.id}
        )
        await make_conversation(session, [ada, lin])
        await make_conversation(session, [lin, await make_user(session)])
        foreign = await make_order(session, lin, [lamp], quantity=1)
        await session.execute(text("UPDATE app.orders SET currency = 'CHF' WHERE id = :id"), {"id": foreign.id})
        await make_notification(session, ada)

    async def figures(only_own: bool) -> Figures:
        return await in_transaction(database, lambda s: repository.figures(s, viewer_id=ada.id, only_own=only_own))

    everybody, own = await figures(False), await figures(True)
    assert (everybody.orders_total, everybody.orders_today, everybody.orders_open) == (5, 3, 3)
    assert (everybody.revenue_today, own.revenue_today) == (Decimal("30.00"), Decimal("20.00"))
    assert everybody.orders_by_status["cancelled"] == 1
    assert [day.revenue for day in everybody.daily[-4:]] == [Decimal("30.00"), 0, 0, Decimal("30.00")]
    assert (own.orders_total, own.orders_open, len(own.recent_orders)) == (2, 1, 2)
    assert [order.user_id for order in own.recent_orders] == [ada.id, ada.id]
    assert own.unread_notifications >= 1
    assert (everybody.conversations, own.conversations) == (2, 1)
