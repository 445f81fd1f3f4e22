"""The catalogue of codes."""

from db.errors import DomainError
from serve_app import routers
from serve_app.problems.catalogue import catalogue


def all_errors() -> list[type[DomainError]]:
    found, waiting = [], [DomainError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__.startswith(("db.", "serve_app."))]


def test_names_every_error_of_every_slice():
    assert routers.VERSIONED  # imports every slice
    known = catalogue()
    for kind in all_errors():
        if kind.code != DomainError.code:
            assert kind.code in known, kind
            assert 400 <= known[kind.code][0] <= 503
    assert known["out_of_stock"][0] == 409
    assert known["validation_failed"][0] == 422


def test_codes_are_unique():
    """A base class shares its code with subclasses that do not say otherwise; unrelated classes never do."""
    owners: dict[str, type[DomainError]] = {}
    for kind in all_errors():
        if "code" in vars(kind):
            assert kind.code not in owners, (kind, owners.get(kind.code))
            owners[kind.code] = kind
