from datetime import UTC, datetime
from uuid import uuid4

import pytest

from actors.hosts.contract import HostReport
from actors.hosts.survey import HostProcess
from serve_app.realtime import questions as ask
from serve_app.realtime_inspection import presenting
from serve_app.security.principal import Principal


def operator(*permissions: str) -> Principal:
    return Principal(uuid4(), "op", frozenset(), frozenset(permissions), "bearer")


HELD = ask.HeldConnection(
    "hub", "c1", "u1", "s1", "connected", "json/websocket", "js", "1", 1_500, 2.0, 7, 1, 2,
    [ask.HeldChannel("room:1", "live", False, True, None, "e", 7)], True, [{"kind": "in"}], b'{"name":"ada"}',
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
    assert shown["info"] == {"name": "ada"}
    position = {"positioned": True, "epoch": "e", "offset": 7}
    assert shown["channels"] == [
        {"channel": "room:1", "state": "live", "server_side": False, "expires_at": None} | position
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
    told = ask.Ending("hub", "c", "u", "s", "t", 1_000, 2_000, 3008, "slow", 42, frames=[{"kind": "in"}])
    ended = presenting.ending(told, operator("realtime:read"))
    assert ended.frames == [], "what people send is for who may administrate"
    assert presenting.ending(told, operator("realtime:admin")).frames == [{"kind": "in"}]
    assert (ended.code, ended.queue_bytes, ended.ended_at - ended.opened_at) == (
        3008,
        42,
        ended.ended_at - ended.opened_at,
    )
    assert ended.ended_at.timestamp() == 2
    assert ended.info is None, "its token said nothing"


def test_processes_with_the_same_rules_are_shown_once() -> None:
    old = {"room": {"presence": True}}
    reports = [
        ask.NamespacesReport("b", "v1", old, []),
        ask.NamespacesReport("a", "v1", old, []),
        ask.NamespacesReport("c", "v1", old, ["line 3: no such option"]),
        ask.NamespacesReport("d", "v2", {}, []),
    ]
    shown = presenting.rules(reports)
    assert [(rules.version, rules.nodes, rules.mistakes) for rules in shown] == [
        ("v1", ["a", "b"], []),
        ("v1", ["c"], ["line 3: no such option"]),
        ("v2", ["d"], []),
    ]
    assert [(found.name, found.options) for found in shown[0].items] == [("room", {"presence": True})]


def test_what_a_process_hosts_and_for_how_long_it_may_answer() -> None:
    ready = {"brokers/0": True, "brokers/1": True, "jobs/0": False}
    report = HostReport("i", 7, 0, active=True, ready=ready, node="n", lease_s=2.5)
    shown = presenting.shard_process(HostProcess(0, 0, report), {0: 1024})
    assert (shown.state, shown.pid, shown.lease_s) == ("active", 7, 2.5)
    assert [(shard.kind, shard.shard, shard.ready, shard.buckets) for shard in shown.shards] == [
        ("brokers", 0, True, 1024),
        ("brokers", 1, True, 0),
        ("jobs", 0, False, None),
    ]
    assert presenting.shard_process(HostProcess(0, 0, report), {}).shards[0].buckets is None, "nobody says"


def test_a_process_that_does_not_answer_is_shown_as_that() -> None:
    shown = presenting.shard_process(HostProcess(1, 1, None), {})
    assert (shown.host, shown.side, shown.state, shown.pid, shown.shards) == (1, 1, "silent", None, [])
    standby = HostReport("i", 8, 1, active=False, ready={})
    assert presenting.shard_process(HostProcess(1, 1, standby), {}).state == "standby"
