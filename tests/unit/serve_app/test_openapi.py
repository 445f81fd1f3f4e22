"""The OpenAPI document: fresh, complete, and with every operation guarded."""

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from cluster.settings import ROOT
from serve_app.app import build_app
from serve_app.openapi import METHODS, render
from tests.fixtures.client import build_settings

DOCUMENT: dict[str, Any] = build_app(build_settings()).openapi()
OPERATIONS = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
]


def test_the_committed_document_is_fresh():
    committed = (ROOT / "openapi.json").read_bytes()
    assert committed == render(DOCUMENT), "run: python -m serve_app.openapi > openapi.json (or ./mobula fix)"


def test_names_are_stable_and_unique():
    ids = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))
    assert DOCUMENT["openapi"].startswith("3.1")
    assert not [name for name in DOCUMENT["components"]["schemas"] if name.endswith(("-Input", "-Output"))]
    assert "HTTPValidationError" not in DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_is_documented(path: str, method: str, operation: dict[str, Any]):
    assert re.fullmatch(rf"{operation['tags'][0]}-[a-z_]+", operation["operationId"])
    assert operation["summary"]
    for status, response in operation["responses"].items():
        if status == "default" or int(status) >= 400:
            content = response.get("content", {})
            # Health answers with what is unhealthy; 416 is the file response's own.
            if not path.startswith("/health") and status != "416":
                assert list(content) == ["application/problem+json"], (path, status)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_integers_that_are_asked_for_are_bounded(path: str, method: str, operation: dict[str, Any]):
    """What is longer than 64 bits cannot be handed on, neither to Postgres nor to a shard."""
    asked = [parameter["schema"] for parameter in operation.get("parameters", [])]
    asked += [content.get("schema", {}) for content in operation.get("requestBody", {}).get("content", {}).values()]
    for name, schema in _integers("", asked, set()):
        assert schema.get("minimum", schema.get("exclusiveMinimum")) is not None, (path, name)
        assert schema.get("maximum", schema.get("exclusiveMaximum", 2**64)) < 2**63, (path, name)


def _integers(name: str, schema: Any, seen: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, list):
        for each in schema:
            yield from _integers(name, each, seen)
    elif isinstance(schema, dict):
        reference = str(schema.get("$ref", ""))
        if reference and reference not in seen:
            seen.add(reference)
            yield from _integers(name, DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]], seen)
        if schema.get("type") == "integer" and "const" not in schema and "enum" not in schema:
            yield name, schema
        for key, inner in schema.items():
            if key not in ("examples", "example", "default"):
                yield from _integers(f"{name}.{key}", inner, seen)


def test_no_response_holds_a_secret_hash():
    text = orjson.dumps(DOCUMENT["components"]["schemas"]).decode()
    for name in ("password_hash", "secret_sha256", "token_sha256"):
        assert name not in text


def test_references_lead_somewhere():
    text = orjson.dumps(DOCUMENT).decode()
    for name in set(re.findall(r"#/components/schemas/([^\"]+)", text)):
        assert name in DOCUMENT["components"]["schemas"], name
