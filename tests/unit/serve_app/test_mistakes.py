"""What is wrong with a value, in words, for the schemas that there are."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from serve_app.auth.schemas import CurrentUserUpdate, LoginRequest, RegisterRequest
from serve_app.exports.router import ExportQuery
from serve_app.mistakes import words_of
from serve_app.orders.router import OrderQuery
from serve_app.products.schemas import CategoryCreate, ProductUpdate

PATTERN = "This is not written as it has to be: a character is wrong, or missing."
PROGRAMMERS_WORDS = ("should", "regex", "match", "pattern", "string", "Input", "Value error", "^[", "value is not")


def mistakes_of(schema: type[BaseModel], **values: Any) -> list[Any]:
    """What pydantic says of a request of these values."""
    with pytest.raises(ValidationError) as refused:
        schema.model_validate(values)
    return list(refused.value.errors())


@pytest.mark.parametrize(
    ("schema", "field", "value", "words"),
    [
        (CurrentUserUpdate, "username", "ada lovelace", PATTERN),
        (CurrentUserUpdate, "username", "ad", "At least 3 characters."),
        (CurrentUserUpdate, "code", "", "At least 6 characters."),
        (CurrentUserUpdate, "email", "nobody", "An email address must have an @-sign."),
        (LoginRequest, "password", "", "Fill this in."),
        (LoginRequest, "mode", "carrier pigeon", "This has to be 'bearer' or 'cookie'."),
        (ProductUpdate, "image_url", "http://images.example/lamp.webp", PATTERN),
        (ProductUpdate, "description", "x" * 10_001, "At most 10,000 characters."),
        (ProductUpdate, "stock", -1, "This has to be 0 or more."),
        (ProductUpdate, "stock", "many", "This has to be a whole number."),
        (ProductUpdate, "price", "1.999", "At most 2 digits after the point."),
        (ProductUpdate, "price", "cheap", "This has to be a number."),
        (ProductUpdate, "category_id", "lamps", "This is not an id."),
        (ProductUpdate, "colour", "red", "There is no such field here."),
        (CategoryCreate, "slug", "Not A Slug", PATTERN),
        (OrderQuery, "page", "1001", "This has to be 1000 or less."),
        (OrderQuery, "number", "x" * 21, "At most 20 characters."),
        (ExportQuery, "limit", "0", "This has to be 1 or more."),
    ],
)
def test_says_what_to_do_about_it(schema: type[BaseModel], field: str, value: Any, words: str):
    [said] = [words_of(mistake) for mistake in mistakes_of(schema, **{field: value}) if mistake["loc"][0] == field]
    assert said == words
    assert not any(programmers in said for programmers in PROGRAMMERS_WORDS)


def test_what_is_missing_is_called_so():
    assert {words_of(mistake) for mistake in mistakes_of(RegisterRequest)} == {"This is missing."}


def test_our_own_sentences_stay():
    [mistake] = mistakes_of(CurrentUserUpdate, full_name="A\x00da")
    assert words_of(mistake) == "text must not contain NUL characters"


@pytest.mark.parametrize(
    "mistake",
    [
        {"type": "somebody_elses", "msg": "as they put it"},
        {"type": "string_too_short", "msg": "as they put it"},
        {"type": "value_error", "msg": "Value error, as they put it", "ctx": {"error": ValueError("as they put it")}},
    ],
)
def test_what_is_not_known_keeps_its_words(mistake: dict[str, Any]):
    assert words_of(mistake) == "as they put it"
