"""What every HTTP schema shares: the base classes, links, pages, money."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    WithJsonSchema,
    model_validator,
)

from actors.protocol.json_codec import MAX_NESTING, single_line

ItemT = TypeVar("ItemT")

Money = Annotated[
    Decimal,
    Field(ge=0, max_digits=12, decimal_places=2),
    PlainSerializer(lambda value: f"{value:.2f}", return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{1,10}(\.\d{1,2})?$",
            "examples": ["19.90"],
            "description": "An exact amount, as text.",
        }
    ),
]
"""An amount. Text in JSON, because binary floating point cannot hold 0.10."""


Whole = Annotated[int, Strict()]
"""A whole number in a request body: neither `true` nor `"1"`, of which nobody knows what was meant."""


def holds_nul(value: Any) -> bool:
    """Whether there is a NUL character anywhere in decoded JSON, however deep."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "\x00" in item:
                return True
        elif isinstance(item, Mapping):
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return False


def refuse_unreadable(value: dict[str, Any]) -> dict[str, Any]:
    """The value itself. Raises ValueError for what Python decodes, and the database or other programs do not."""
    try:
        single_line(orjson.dumps(value))
    except (TypeError, ValueError) as error:
        what = f"numbers of 64 bits, no halves of surrogate pairs, {MAX_NESTING} levels"
        raise ValueError(f"JSON that everybody can read: {what}") from error
    return value


FreeJson = Annotated[dict[str, Any], AfterValidator(refuse_unreadable)]
"""An object whose members are the caller's own. Stored as it is, and answered again."""


class RequestSchema(BaseModel):
    """A request body. Unknown members are refused, so that nobody believes they set what cannot be set."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def refuse_nul(cls, value: Any) -> Any:
        """Postgres stores every character but one."""
        if holds_nul(value):
            raise ValueError("text must not contain NUL characters")
        return value


class ResponseSchema(BaseModel):
    """A response body. Members have no defaults: what is declared is always there, if only as null."""

    model_config = ConfigDict(from_attributes=True, validate_by_name=True, validate_by_alias=True)


class Link(ResponseSchema):
    """Where something is, and the method to use when it is not GET."""

    href: str = Field(examples=["/api/v1/products/0190f6b2-0000-7000-8000-000000000001"])
    method: str | None = Field(default=None, exclude_if=lambda method: method is None, examples=["PATCH"])


Links = dict[str, Link]


class ResourceSchema(ResponseSchema):
    """A resource with `_links`: what the caller may do with it. Lists carry `self` only."""

    computed: ClassVar[frozenset[str]] = frozenset({"links"})
    """Fields that the row does not have; `of` takes them as arguments."""

    links: Links = Field(alias="_links")

    @classmethod
    def of(cls, row: object, *, links: Links, **given: Any) -> Self:
        """The schema of a row: its attributes, except those that are given."""
        given["links"] = links
        read: Mapping[str, Any] = {name: getattr(row, name) for name in cls.model_fields if name not in given}
        return cls(**read, **given)


class Page(ResponseSchema, Generic[ItemT]):
    """One page of a list, either by number (`page`, `total`) or by cursor (`next`, `prev`)."""

    items: list[ItemT]
    total: int | None = Field(description="How many there are in all; null when paging by cursor.")
    page: int | None = Field(description="This page's number from 1; null when paging by cursor.")
    limit: int = Field(description="How many items a page holds at most.")
    pages: int | None = Field(description="How many pages can be asked for; null when paging by cursor.")
    next: str | None = Field(description="Cursor of the next page; null on the last one, and when paging by number.")
    prev: str | None = Field(description="Cursor of the page before; null on the first, and when paging by number.")
    links: Links = Field(alias="_links")


class ProblemItem(ResponseSchema):
    """One mistake in the request."""

    pointer: str = Field(description="Where: JSON pointer into the body, or `#/query/<name>` and the like.")
    code: str = Field(examples=["string_too_short"])
    message: str


class Problem(ResponseSchema):
    """An error, after RFC 9457 (application/problem+json)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Page that explains `code`.", examples=["/problems/not_found"])
    title: str
    status: int = Field(examples=[404])
    detail: str
    instance: str = Field(description="The path that was asked for.")
    code: str = Field(description="Stable, for programs.", examples=["not_found"])
    request_id: str = Field(description="Quote this when you report the error.")
    errors: list[ProblemItem] | None = Field(
        default=None,
        exclude_if=lambda errors: errors is None,
        description="What is wrong with the request, item by item.",
    )
