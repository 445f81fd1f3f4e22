from collections.abc import Mapping
from typing import Any

from actors.brokers.contract import ClientInfo, Publication
from actors.protocol.json_codec import JSON
from serve_app.realtime.taps import LAST_FRAMES, ChannelTap, Tap


class Notes:
    def __init__(self) -> None:
        self.seen: list[Mapping[str, Any]] = []

    def __call__(self, traces: set[str], event: Mapping[str, Any]) -> Mapping[str, Any]:
        assert traces == {"t"}
        self.seen.append(event)
        return {"at": 1, **event}


def test_a_connection_is_read_both_ways_to_its_end() -> None:
    notes = Notes()
    tap = Tap("c", "u", JSON, notes)
    tap.traces.add("t")
    tap.received(b'{"id":1,"rpc":{"method":"m"}}')
    tap.sent([b'{"id":1,"rpc":{"data":1}}', b"{}"])
    tap.closed(3008, "slow")
    assert [(event["kind"], event["frame"]) for event in notes.seen] == [
        ("in", {"id": 1, "rpc": {"method": "m"}}),
        ("out", {"id": 1, "rpc": {"data": 1}}),
        ("out", {}),
        ("closed", {"code": 3008, "reason": "slow"}),
    ]
    assert {(event["client"], event["user"]) for event in notes.seen} == {("c", "u")}
    assert list(tap.frames) == [{"at": 1, **event} for event in notes.seen], "kept with their time"
    tap.sent([b'{"push":{"id":1,"pub":{"data":1}}}'], "room:1")
    assert notes.seen[-1]["channel"] == "room:1", "a compact push names its channel by a number only"
    tap.sent([b"{}"] * LAST_FRAMES * 2)
    assert len(tap.frames) == LAST_FRAMES


def test_a_channel_shows_what_is_published_who_comes_and_who_goes() -> None:
    notes = Notes()
    tap = ChannelTap("room:1", notes)
    tap.traces.add("t")
    tap.published([Publication(b'{"secret":"x"}', offset=3, tags={"a": "b"}, key="k"), Publication(b"\x00")], 2)
    tap.announced([ClientInfo("u", "c")], [ClientInfo("u", "c")])
    tap.attached("c", "u")
    tap.detached("c", "u")
    who = {"channel": "room:1", "client": "c", "user": "u"}
    assert notes.seen == [
        {
            "kind": "publication", "channel": "room:1", "offset": 3, "receivers": 2, "data": {"secret": "[redacted]"},
            "tags": {"a": "b"}, "key": "k",
        },
        {
            "kind": "publication", "channel": "room:1", "offset": 0, "receivers": 2,
            "data": {"unreadable": True, "bytes": 1},
        },
        {"kind": "join", **who},
        {"kind": "leave", **who},
        {"kind": "subscribed", **who},
        {"kind": "unsubscribed", **who},
    ]  # fmt: skip
