"""What every HTTP schema shares."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
from pydantic import ValidationError

from actors.protocol.json_codec import MAX_NESTING
from serve_app import routers
from serve_app.schemas import (
    FreeJson,
    Link,
    Money,
    Page,
    RequestSchema,
    ResourceSchema,
    ResponseSchema,
    Whole,
    holds_nul,
)


class Thing(ResourceSchema):
    name: str
    price: Money


class Wish(RequestSchema):
    name: str
    tags: dict[str, list[str]] | None = None
    free: FreeJson | None = None


@dataclass
class Row:
    name: str = "lamp"
    price: Decimal = Decimal("1.5")
    secret: str = "hidden"


def test_a_row_becomes_what_is_declared_and_no_more():
    thing = Thing.of(Row(), links={"self": Link(href="/a")})
    assert thing.model_dump_json(by_alias=True) == '{"_links":{"self":{"href":"/a"}},"name":"lamp","price":"1.50"}'
    assert Thing.of(Row(), name="given", links={}).name == "given"


def test_money_is_exact_text():
    assert isinstance(Thing.of(Row(), links={}).model_dump()["price"], Decimal)
    for wrong in ("-1", "1.999", "12345678901", "x", "NaN"):
        with pytest.raises(ValidationError):
            Thing(name="x", price=wrong, links={})


def made_from(model: type[RequestSchema]) -> Iterator[type[RequestSchema]]:
    """Every schema that is one of these."""
    for one in model.__subclasses__():
        yield one
        yield from made_from(one)


@pytest.mark.parametrize("wrong", [True, "2", 2.0])
def test_a_whole_number_is_nothing_else(wrong: object) -> None:
    class Count(RequestSchema):
        number: Whole

    assert Count(number=2).number == 2
    with pytest.raises(ValidationError):
        Count(number=wrong)


def test_every_number_of_a_request_is_a_whole_one() -> None:
    """`true` is 1 in Python, and an order of `true` lamps should not become one of a lamp."""
    declared = {
        f"{model.__module__}.{model.__name__}.{name}": f"{field.annotation} {field.metadata}"
        for model in made_from(RequestSchema)
        if model.__module__.startswith(routers.__package__)
        for name, field in model.model_fields.items()
    }
    numbers = {name for name, text in declared.items() if re.search(r"\bint\b", text)}
    assert "serve_app.orders.schemas.OrderLineCreate.quantity" in numbers
    assert {name for name in numbers if "Strict(" not in declared[name]} == set()


def test_requests_refuse_what_is_not_declared():
    assert Wish(name="  lamp ").name == "lamp"
    with pytest.raises(ValidationError):
        Wish(name="lamp", is_admin=True)


@pytest.mark.parametrize(
    "body", [{"name": "a\x00"}, {"name": "a", "tags": {"\x00": []}}, {"name": "a", "tags": {"b": ["\x00"]}}]
)
def test_nul_is_refused_wherever_it_is(body: dict[str, object]):
    assert holds_nul(body)
    with pytest.raises(ValidationError, match="NUL"):
        Wish.model_validate(body)
    assert not holds_nul({"a": [1, None, "b"]})
    assert not holds_nul(nested(10_000))


def nested(levels: int) -> dict[str, object]:
    value: object = "b"
    for _ in range(levels - 1):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize(
    "free",
    [
        {"a": "\ud800"},
        {"a": [{"\udfff": 1}]},
        {"a": 2**64},
        {"a": -(2**63) - 1},
        nested(MAX_NESTING + 1),
        nested(10_000),
    ],
    ids=["text", "name", "large", "small", "deep", "very deep"],
)
def test_what_not_everybody_can_read_is_refused_where_it_is(free: dict[str, object]):
    with pytest.raises(ValidationError, match="everybody can read") as caught:
        Wish(name="lamp", free=free)
    assert caught.value.errors()[0]["loc"] == ("free",)


def test_free_json_may_be_anything_else():
    free = {"a": [1, None, True, 1.5, "\U0001f422", 2**64 - 1, -(2**63)], "\u00e4": {}, "deep": nested(MAX_NESTING - 2)}
    assert Wish(name="lamp", free=free).free == free


def test_response_members_are_required():
    """What is declared is always there, so clients need not ask; null where there is nothing."""
    for schema in (Page[Thing], Thing):
        assert issubclass(schema, ResponseSchema)
        assert all(field.is_required() for field in schema.model_fields.values())
