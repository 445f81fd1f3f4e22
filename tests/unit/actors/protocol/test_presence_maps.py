import pytest

from actors.protocol import presence_maps
from actors.protocol.frames import TYPE_MAP_CLIENTS, TYPE_MAP_USERS
from actors.protocol.namespace import Namespace


@pytest.mark.parametrize(
    ("channel", "shown"),
    [
        ("$clients:room:a", (TYPE_MAP_CLIENTS, "room:a")),
        ("$users:a", (TYPE_MAP_USERS, "a")),
        ("$users:$room:a#1,2", (TYPE_MAP_USERS, "$room:a#1,2")),
        ("clients:a", None),
        ("$client:a", None),
        ("room:$clients:a", None),
    ],
)
def test_names(channel: str, shown: tuple[int, str] | None) -> None:
    assert presence_maps.parse(channel) == shown


def test_its_rules_are_those_of_an_ephemeral_map_that_nobody_writes() -> None:
    base = Namespace(name="n", durable=True, presence=True, join_leave=True, subscribe_rate="5/s", history_ttl_s=9)
    rules = presence_maps.rules_of(base)
    assert rules.is_map
    assert rules.map is not None
    assert not rules.map.has_stream
    assert (rules.name, rules.subscribe_rate) == ("n", "5/s")
    assert (rules.durable, rules.presence, rules.join_leave) == (False, False, False)
    # A stream nonetheless: a gap between two processes is found by offsets.
    assert rules.has_history
    assert rules.map.inconsistencies() in ([], [("mode", "a map in mode ephemeral needs key_ttl")])
