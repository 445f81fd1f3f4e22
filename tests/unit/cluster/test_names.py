"""Names are only strings to an import graph, so a test looks whether they lead somewhere."""

import importlib

import pytest

from cluster import names

IMPORT_STRINGS = sorted(name for name in vars(names) if name.endswith("_IMPORT_PATH"))


@pytest.mark.parametrize("name", IMPORT_STRINGS)
def test_import_strings_lead_somewhere(name: str) -> None:
    module, _, attribute = getattr(names, name).partition(":")
    assert getattr(importlib.import_module(module), attribute) is not None


def test_there_are_import_strings_to_test() -> None:
    assert {"API_IMPORT_PATH", "REALTIME_IMPORT_PATH", "EDGE_HOOK_IMPORT_PATH"} <= set(IMPORT_STRINGS)


def test_actor_names_differ() -> None:
    assert len({names.SUPERVISOR, names.shard_host(0), names.shard_host(1), names.node_agent("a")}) == 4
