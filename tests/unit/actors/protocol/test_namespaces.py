from pathlib import Path

import pytest

from actors.protocol.channels import InvalidChannel
from actors.protocol.namespaces import Namespaces, UnknownNamespace

SHIPPED = Path(__file__).parents[4] / "cluster" / "namespaces.yaml"


def test_the_shipped_file_declares_the_documented_namespaces() -> None:
    namespaces = Namespaces.load(SHIPPED)
    assert set(namespaces.names) == {
        "default", "room", "ledger", "scores", "desk", "conversation", "orders", "exports", "jobs", "dashboard", "user",
