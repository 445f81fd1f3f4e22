"""What every HTTP schema shares."""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from pydantic import ValidationError

from serve_app.schemas import Link, Money, Page, RequestSchema, ResourceSchema, ResponseSchema, holds_nul


class Thing(ResourceSchema):
    name: str
    price: Money


class Wish(RequestSchema):
    name: str
    tags: dict[str, list[str]] | None = None


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


def test_response_members_are_required():
    """What is declared is always there, so clients need not ask; null where there is nothing."""
    for schema in (Page[Thing], Thing):
        assert issubclass(schema, ResponseSchema)
        assert all(field.is_required() for field in schema.model_fields.values())
