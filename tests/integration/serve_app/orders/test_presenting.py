"""Orders as responses: links say what may be done next, by whom."""

import pytest

from db.orders.status import OrderStatus
from serve_app.orders.presenting import present_order, present_summary
from serve_app.security.principal import Principal
from tests.factories.orders import make_order
from tests.fixtures.client import Api


@pytest.mark.parametrize(
    ("status", "permission", "actions"),
    [
        (OrderStatus.PENDING, "orders:place", {"cancel"}),
        (OrderStatus.PENDING, "orders:read", set()),
        (OrderStatus.PENDING, "orders:manage", {"cancel", "status"}),
        (OrderStatus.SHIPPED, "orders:place", set()),
        (OrderStatus.SHIPPED, "orders:manage", {"status"}),
        (OrderStatus.DELIVERED, "orders:manage", set()),
        (OrderStatus.CANCELLED, "orders:manage", set()),
    ],
)
async def test_links(api: Api, status: OrderStatus, permission: str, actions: set[str]):
    async with api.database.transaction() as session:
        order = await make_order(session, status=status)
    owner = Principal(order.user_id, "ada", frozenset(), frozenset({permission}), "bearer")
    presented = present_order(order, owner)
    assert set(presented.links) - {"self"} == actions
    assert presented.items[0].line_total == order.total_amount
    assert presented.history[-1].status == status
    assert set(present_summary(order).links) == {"self"}
