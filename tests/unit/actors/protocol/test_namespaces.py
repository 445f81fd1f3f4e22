from pathlib import Path

import pytest

from actors.protocol.channels import InvalidChannel
from actors.protocol.namespaces import Namespaces, UnknownNamespace

SHIPPED = Path(__file__).parents[4] / "cluster" / "namespaces.yaml"


def test_the_shipped_file_declares_the_documented_namespaces() -> None:
    namespaces = Namespaces.load(SHIPPED)
    assert set(namespaces.names) == {
        "default", "room", "ledger", "scores", "desk", "conversation", "orders", "exports", "dashboard", "user",
        "cursors", "board", "shelf", "stock", "trace", "sales",
    }  # fmt: skip
    assert namespaces.for_channel("conversation:1").subscribe_permission == "conversation_member"
    # The shop's figures are not for anybody who is signed in; those of the system are.
    assert namespaces.get("sales").subscribe_permission == "dashboard_reader"
    assert not namespaces.get("sales").allow_subscribe_for_client
    assert namespaces.for_channel("lobby").name == "default"
    assert namespaces.personal_channel("42") == "user:#42"
    assert namespaces.personal_channel("") == ""
    for shared in ("ann,bob", "x#bob", "bob,"):
        assert namespaces.personal_channel(shared) == "", "bob could subscribe to it"


def test_the_ledger_is_the_durable_twin_of_the_room() -> None:
    namespaces = Namespaces.load(SHIPPED)
    room, ledger = namespaces.get("room"), namespaces.get("ledger")
    differing = {field for field in room.__struct_fields__ if getattr(room, field) != getattr(ledger, field)}
    assert differing == {"name", "durable", "history_ttl_s"}


def test_unknown_namespaces_are_refused() -> None:
    namespaces = Namespaces.parse("namespaces:\n  room:\n")
    assert namespaces.for_channel("$room:1").name == "room"
    for channel in ("other:1", "plain", "default:1"):
        with pytest.raises(UnknownNamespace):
            namespaces.for_channel(channel)
    with pytest.raises(InvalidChannel):
        namespaces.for_channel("")


def test_a_namespace_narrows_its_channels() -> None:
    namespaces = Namespaces.parse("namespaces:\n  n:\n    channel_max_length: 8\n    channel_regex: '[0-9]+'\n")
    assert namespaces.for_channel("n:123").name == "n"
    assert namespaces.for_channel("$n:123").name == "n"
    with pytest.raises(InvalidChannel):
        namespaces.for_channel("n:1234567")
    with pytest.raises(InvalidChannel):
        namespaces.for_channel("n:12x")


PATTERNS = """
namespaces:
  default:
  device:
    pattern: /users/:user/devices/:device
    channel_regex: '/users/[0-9]+/.*'
  me:
    pattern: /users/me/devices/:device
  inbox:
    pattern: /users/:user
    allow_user_limited_channels: true
"""


def test_a_pattern_names_the_namespace_and_its_variables() -> None:
    namespaces = Namespaces.parse(PATTERNS)
    assert namespaces.for_channel("/users/42/devices/7").name == "device"
    assert namespaces.variables("/users/42/devices/7") == {"user": "42", "device": "7"}
    assert namespaces.variables("$/users/me/devices/7") == {"device": "7"}
    rules, name = namespaces.resolve("$/users/42#42,43")
    assert (rules.name, name.namespace, name.private, name.users) == ("inbox", "inbox", True, ("42", "43"))
    assert namespaces.variables("/users/42#42,43") == {"user": "42"}
    assert namespaces.variables("lobby") == namespaces.variables("/nowhere") == {}


@pytest.mark.parametrize("channel", ["/users", "/users/", "/users/1/devices/7/8", "inbox:x", "/"])
def test_what_fits_no_pattern_is_no_channel(channel: str) -> None:
    with pytest.raises(UnknownNamespace):
        Namespaces.parse(PATTERNS).for_channel(channel)


def test_the_expression_of_a_namespace_holds_for_its_pattern_too() -> None:
    with pytest.raises(InvalidChannel):
        Namespaces.parse(PATTERNS).for_channel("/users/x/devices/7")


def test_without_patterns_a_slash_is_a_letter() -> None:
    assert Namespaces.parse("namespaces:\n  default:\n").for_channel("/users/42").name == "default"


def test_presence_as_a_map_has_rules_of_its_own_and_the_name_of_its_channel() -> None:
    namespaces = Namespaces.parse("namespaces:\n  default: {presence: true}\n  room:\n    channel_max_length: 10\n")
    rules, name = namespaces.resolve("$clients:$room:a#1")
    assert (rules.name, rules.is_map, rules.presence) == ("room", True, False)
    assert (name.namespace, name.private, name.users) == ("room", True, ("1",))
    assert namespaces.for_channel("$users:room:b") is rules
    assert namespaces.for_channel("$users:b").name == "default"
    for channel in ("$clients:$users:room:a", "$users:", "$users:room:too-long"):
        with pytest.raises(InvalidChannel):
            namespaces.resolve(channel)
    with pytest.raises(UnknownNamespace):
        namespaces.resolve("$users:nowhere:a")
