from pathlib import Path

import pytest

from actors.protocol.channels import InvalidChannel
from actors.protocol.namespaces import Namespaces, UnknownNamespace

SHIPPED = Path(__file__).parents[4] / "cluster" / "namespaces.yaml"


def test_the_shipped_file_declares_the_documented_namespaces() -> None:
    namespaces = Namespaces.load(SHIPPED)
    assert set(namespaces.names) == {
        "default", "room", "ledger", "scores", "conversation", "orders", "exports", "jobs", "dashboard", "user",
    }  # fmt: skip
    assert namespaces.for_channel("conversation:1").permission == "conversation_member"
    assert namespaces.for_channel("lobby").name == "default"
    assert namespaces.personal_channel("42") == "user:#42"
    assert namespaces.personal_channel("") == ""


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
    with pytest.raises(UnknownNamespace):
        namespaces.for_channel("n:12x")
