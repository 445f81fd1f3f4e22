"""Query parameters parsed once."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from serve_app.query import KEPT, LONGEST_KEPT, parsed, query_parameters


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100, description="Items per page.")] = 20
    word: str | None = None
    colour: str


def request(query: str) -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": []})


def test_the_same_query_is_parsed_once() -> None:
    parse = parsed(Wanted)
    first = parse(request("colour=red&limit=5"))
    assert (first.colour, first.limit, first.word) == ("red", 5, None)
    assert parse(request("colour=red&limit=5")) is first
    assert parse(request("colour=red&limit=6")) is not first


def test_of_repeated_parameters_the_last_counts() -> None:
    assert parsed(Wanted)(request("colour=red&colour=blue")).colour == "blue"


@pytest.mark.parametrize(
    ("query", "where"),
    [("", "colour"), ("colour=red&limit=0", "limit"), ("colour=red&limit=x", "limit"), ("colour=red&no=1", "no")],
)
def test_mistakes_are_refused_every_time_and_name_their_parameter(query: str, where: str) -> None:
    parse = parsed(Wanted)
    for _ in range(2):
        with pytest.raises(RequestValidationError) as refusal:
            parse(request(query))
        assert [mistake["loc"] for mistake in refusal.value.errors()] == [("query", where)]


def test_memory_is_bounded() -> None:
    parse = parsed(Wanted)
    long = parse(request("colour=" + "x" * LONGEST_KEPT))
    assert parse(request("colour=" + "x" * LONGEST_KEPT)) is not long
    first = parse(request("colour=0"))
    for number in range(1, KEPT + 1):
        parse(request(f"colour={number}"))
    assert parse(request("colour=0")) is not first


def test_the_document_is_what_fastapi_would_write() -> None:
    router = APIRouter()

    @router.get("/things")
    async def things(query: Annotated[Wanted, Query()]) -> Any: ...

    app = FastAPI()
    app.include_router(router)
    assert app.openapi()["paths"]["/things"]["get"]["parameters"] == query_parameters(Wanted)["parameters"]
