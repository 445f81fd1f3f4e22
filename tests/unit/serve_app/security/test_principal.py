"""Principals."""

from uuid import uuid4

from serve_app.security.principal import Principal


def test_may_what_it_carries():
    principal = Principal(uuid4(), "ada", frozenset({"admin"}), frozenset({"orders:read"}), "bearer")
    assert principal.may("orders:read")
    assert not principal.may("orders:manage")
