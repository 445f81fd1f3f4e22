"""Errors as problems."""

from typing import Any

import orjson
import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from db.errors import Conflict, DatabaseUnavailable, DomainError, InvalidInput, PermissionDenied, TooManyRequests
from db.orders.errors import OutOfStock
from serve_app import errors

SCOPE: dict[str, Any] = {"type": "http", "path": "/api/v1/x", "request_id": "r-1"}


def body(response: Any) -> dict[str, Any]:
    assert response.media_type == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    decoded: dict[str, Any] = orjson.loads(response.body)
    return decoded


def test_a_domain_error_keeps_code_message_and_details():
    response = errors.domain_problem(SCOPE, OutOfStock("gone", details={"lines": [1], "status": "no override"}))
    problem = body(response)
    assert response.status_code == problem["status"] == 409
    assert problem["type"] == "/problems/out_of_stock"
    assert (problem["title"], problem["detail"], problem["lines"]) == ("Out of stock", "gone", [1])
    assert (problem["instance"], problem["request_id"]) == ("/api/v1/x", "r-1")
    assert "errors" not in problem


@pytest.mark.parametrize("error", [TooManyRequests(retry_after_s=2.4), DatabaseUnavailable(retry_after_s=0.1)])
def test_retry_after_is_whole_seconds(error: DomainError):
    assert errors.domain_problem(SCOPE, error).headers["retry-after"] in ("1", "2")


def test_invalid_input_points_at_its_field():
    problem = body(errors.domain_problem(SCOPE, InvalidInput("no", field="lines.0.quantity")))
    assert problem["errors"] == [{"pointer": "#/lines/0/quantity", "code": "invalid_input", "message": "no"}]


def test_any_refusal_of_a_value_points_at_it():
    class Refused(PermissionDenied):
        field = "current_password"

    item = {"pointer": "#/current_password", "code": "permission_denied", "message": "no"}
    assert body(errors.domain_problem(SCOPE, Refused("no")))["errors"] == [item]
    assert "errors" not in body(errors.domain_problem(SCOPE, PermissionDenied("no")))


def test_401_names_the_scheme():
    response = errors.domain_problem(SCOPE, errors.AuthenticationRequired())
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("kind", "status"),
    [(Conflict, 409), (OutOfStock, 409), (DomainError, 400), (errors.NotAcceptable, 406), (errors.RequestForged, 403)],
)
def test_statuses_follow_base_classes(kind: type[DomainError], status: int):
    assert errors.status_of(kind()) == status


def test_validation_points_everywhere_and_echoes_nothing():
    error = RequestValidationError(
        [
            {"type": "missing", "loc": ("body", "a/b", 0, "c~"), "msg": "Field required", "input": "hunter2"},
            {"type": "int_parsing", "loc": ("query", "page"), "msg": "no", "input": "x"},
        ]
    )
    problem = body(errors.validation_problem(SCOPE, error))
    assert [item["pointer"] for item in problem["errors"]] == ["#/a~1b/0/c~0", "#/query/page"]
    assert [item["message"] for item in problem["errors"]] == ["This is missing.", "This has to be a whole number."]
    assert "hunter2" not in str(problem)


def test_framework_errors_keep_their_headers():
    response = errors.http_problem(SCOPE, HTTPException(405, headers={"Allow": "GET"}))
    assert response.headers["allow"] == "GET"
    assert body(response)["code"] == "method_not_allowed"
    assert body(errors.http_problem(SCOPE, HTTPException(403, "because")))["detail"] == "because"


def test_500_is_generic():
    assert body(errors.internal_problem(SCOPE))["code"] == "internal_error"
