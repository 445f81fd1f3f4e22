"""Why an order cannot be placed or moved."""

from db.errors import Conflict, InvalidInput, NotFound


class OrderNotFound(NotFound):
    """No order has this id, or it is somebody else's."""

    code = "order_not_found"
    default_message = "There is no such order."


class OutOfStock(Conflict):
    """Less is left than was asked for; `details.lines` says of what."""

    code = "out_of_stock"
    default_message = "There is not enough in stock."


class ProductUnavailable(Conflict):
    """A product of the order does not exist any more."""

    code = "product_unavailable"
    default_message = "A product is no longer available."


class PriceChanged(Conflict):
    """A product costs something else than the caller has seen; `details.lines` says what it costs now."""

    code = "price_changed"
    default_message = "A price has changed. Nothing was ordered."


class MixedCurrencies(InvalidInput):
    """One order has one currency."""

    code = "mixed_currencies"
    default_message = "The products are priced in different currencies."


class StatusNotReachable(Conflict):
    """The order cannot go from where it is to there."""

    code = "status_not_reachable"
    default_message = "The order cannot be moved to this status."
