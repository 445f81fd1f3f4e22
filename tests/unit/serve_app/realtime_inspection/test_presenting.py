from datetime import UTC, datetime
from uuid import uuid4

import pytest

from serve_app.realtime import questions as ask
from serve_app.realtime_inspection import presenting
from serve_app.security.principal import Principal


def operator(*permissions: str) -> Principal:
    return Principal(uuid4(), "op", frozenset(), frozenset(permissions), "bearer")


HELD = ask.HeldConnection(
    "hub", "c1", "u1", "s1", "connected", "json/websocket", "js", "1", 1_500, 2.0, 7, 1, 2,
    [ask.HeldChannel("room:1", "live", False, True, None)], True, [{"kind": "in"}],
)  # fmt: skip


@pytest.mark.parametrize(
    ("permissions", "links"), [(("realtime:read",), {"self"}), (("realtime:admin",), {"self", "close"})]
)
def test_a_connection_says_what_may_be_done_about_it(permissions: tuple[str, ...], links: set[str]) -> None:
    shown = presenting.connection(HELD, operator(*permissions)).model_dump(by_alias=True)
    assert set(shown["_links"]) == links
    assert shown["_links"]["self"]["href"] == "/api/v1/realtime/connections/c1"
    assert shown["opened_at"] == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert shown["expires_at"] == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert shown["channels"] == [
        {"channel": "room:1", "state": "live", "server_side": False, "positioned": True, "expires_at": None}
    ]


def test_frames_are_for_who_may_trace() -> None:
    assert presenting.connection(HELD, operator("realtime:read")).frames == []
    assert presenting.connection(HELD, operator("realtime:admin")).frames == [{"kind": "in"}]


def test_the_parts_of_a_trace_are_one() -> None:
    order = ask.StartTrace("t", user="u")
    reports = [ask.TraceReport(hub, order, 5, count) for hub, count in (("b", 1), ("a", 2))]
    (trace,) = presenting.traces([*reports])
    assert (trace.nodes, trace.connections, trace.user, trace.channel) == (["a", "b"], 3, "u", None)
    assert trace.trace_channel == "trace:t"


def test_nodes_and_endings() -> None:
    node = presenting.node(ask.NodeReport("hub", "host-1", 3, 2, 5, 4, 60, 1.5, 9, {"json/websocket": 3}))
    assert (node.node, node.connections, node.transports) == ("hub", 3, {"json/websocket": 3})
    ended = presenting.ending(ask.Ending("hub", "c", "u", "s", "t", 1_000, 2_000, 3008, "slow", 42))
    assert (ended.code, ended.queue_bytes, ended.ended_at - ended.opened_at) == (
        3008,
        42,
        ended.ended_at - ended.opened_at,
    )
    assert ended.ended_at.timestamp() == 2
