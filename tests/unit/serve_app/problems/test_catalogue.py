"""The catalogue of codes."""

import ast
import re
from collections.abc import Iterator

from cluster.settings import ROOT
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


def test_names_what_the_edge_answers():
    known = catalogue()
    answers = list(answers_of_the_edge())
    assert {code for _, code in answers} > {"connect_rate", "request_timeout", "connections_per_address"}
    for status, code in answers:
        assert code in known, code
        assert status in (None, known[code][0]), code


def answers_of_the_edge() -> Iterator[tuple[int | None, str]]:
    """(status, code) of every refusal written down in the edge, the realtime application and HAProxy's rules."""
    for path in [*(ROOT / "serve_app" / "edge").glob("*.py"), *(ROOT / "serve_app" / "realtime").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Refused", "ConnectRefused", "refuse"):
                said = [getattr(argument, "value", None) for argument in node.args[:2]]
                named = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
                status, code = said if len(said) == 2 else (named.get("status"), named.get("code"))
                if isinstance(code, str):
                    yield status, code
    wrapper = (ROOT / "cluster" / "ray_runtime" / "haproxy_wrapper.py").read_text()
    for status, code in re.findall(r'json_problem\((\d+), "[^"]+", "(\w+)"', wrapper):
        yield int(status), code
