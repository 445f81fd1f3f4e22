"""Pieces of documentation."""

from serve_app.openapi_parts import MEANINGS, permitted, problems


def test_problems_refer_to_the_one_schema():
    described = problems(404, 409)
    assert set(described) == {404, 409}
    assert described[404]["description"] == MEANINGS[404]
    assert list(described[404]["content"]) == ["application/problem+json"]


def test_permissions_are_named():
    assert permitted("orders:manage") == {"x-permission": "orders:manage"}
