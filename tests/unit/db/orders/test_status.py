"""The life of an order."""

import pytest

from db.orders.status import CANCELLABLE, NEXT, OPEN, OrderStatus, reachable


def test_the_ordinary_way_leads_from_pending_to_delivered() -> None:
    way = [OrderStatus.PENDING]
    while way[-1] in NEXT:
        way.append(NEXT[way[-1]])
    assert way == ["pending", "paid", "packed", "shipped", "delivered"]


@pytest.mark.parametrize("status", OrderStatus)
def test_nothing_leads_back_or_to_itself(status: OrderStatus) -> None:
    order = list(OrderStatus)
    assert all(order.index(way) > order.index(status) for way in reachable(status))
    assert (OrderStatus.CANCELLED in reachable(status)) == (status in CANCELLABLE)


@pytest.mark.parametrize("status", [OrderStatus.DELIVERED, OrderStatus.CANCELLED])
def test_ends_are_ends(status: OrderStatus) -> None:
    assert reachable(status) == frozenset()
    assert status not in OPEN
