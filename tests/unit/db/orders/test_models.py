"""The number that people read out."""

from db.orders.models import Order


def test_an_order_number_is_recognisable() -> None:
    assert Order(number=100042).order_number == "M-100042"
