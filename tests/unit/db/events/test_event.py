"""Typed events."""

from decimal import Decimal
from typing import ClassVar
from uuid import uuid4

import pytest
from pydantic import ValidationError

from db.events.event import DomainEvent, UnknownEvent, decode, known_types
from db.orders.events import OrderPlaced


def test_an_event_survives_being_stored() -> None:
    event = OrderPlaced(
        order_id=uuid4(),
        order_number="M-1",
        user_id=uuid4(),
        total_amount=Decimal("9.90"),
        currency="EUR",
        item_count=1,
    )
    stored = event.model_dump(mode="json")
    assert decode("order.placed", stored) == event
    assert decode("order.placed", stored | {"added_later": 1}) == event, "newer fields do not stop older code"


def test_unknown_types_and_wrong_payloads_are_told_apart() -> None:
    with pytest.raises(UnknownEvent):
        decode("order.teleported", {})
    with pytest.raises(ValidationError):
        decode("order.placed", {"order_id": "x"})


def test_a_type_belongs_to_one_class() -> None:
    with pytest.raises(TypeError, match="taken"):

        class Imposter(DomainEvent):
            type: ClassVar[str] = "order.placed"

    assert "order.placed" in known_types()


def test_an_event_cannot_be_changed() -> None:
    event = OrderPlaced(
        order_id=uuid4(), order_number="M-1", user_id=uuid4(), total_amount=Decimal(1), currency="EUR", item_count=1
    )
    with pytest.raises(ValidationError):
        event.currency = "USD"  # type: ignore[misc]
