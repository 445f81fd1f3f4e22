"""Orders as responses."""

from db.orders.models import Order as OrderRow
from db.orders.models import OrderItem as OrderItemRow
from db.orders.status import OrderStatus as Status
from db.orders.status import reachable
from serve_app.links import action, self_link
from serve_app.orders.schemas import Order, OrderHistoryEntry, OrderItem, OrderSummary
from serve_app.schemas import Links
from serve_app.security.principal import Principal


def present_summary(row: OrderRow, *, username: str | None = None) -> OrderSummary:
    """An order in a list. `username`: whose it is, where that is not clear."""
    return OrderSummary.of(row, username=username, links=self_link(f"/orders/{row.id}"))


def present_order(row: OrderRow, principal: Principal, *, username: str | None = None) -> Order:
    """An order with lines, history, and what the caller may do next. `username`: whose it is."""
    return Order.of(
        row,
        username=username,
        items=[_item(item) for item in row.items],
        history=[OrderHistoryEntry.model_validate(step) for step in row.history],
        links=self_link(f"/orders/{row.id}") | _actions(row, principal),
    )


def _item(row: OrderItemRow) -> OrderItem:
    return OrderItem.model_validate(row)


def _actions(row: OrderRow, principal: Principal) -> Links:
    path = f"/orders/{row.id}"
    ways = reachable(Status(row.status))
    links: Links = {}
    own = row.user_id == principal.user_id and principal.may("orders:place")
    manages = principal.may("orders:manage")
    if Status.CANCELLED in ways and (own or manages):
        links["cancel"] = action(f"{path}/cancel", "POST")
    if ways and manages:
        links["status"] = action(f"{path}/status", "POST")
    return links
