import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.protocol import frames
from actors.protocol.codec import MAX_COMMANDS_PER_FRAME, MAX_FRAME_BYTES, ProtocolError
from actors.protocol.codes import DISCONNECT_BAD_REQUEST
from actors.protocol.json_codec import JSON, MAX_NESTING, single_line, too_deep

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), children),
    max_leaves=8,
)


def test_commands_of_one_frame_keep_their_order_and_payloads_their_bytes() -> None:
    frame = b'{"id":1,"connect":{"token":"t","new":[1]}}\n{"id":2,"publish":{"channel":"c","data":{"a" : 1.50}}}\n'
    first, second = JSON.decode(frame)
    assert first.connect is not None
    assert first.connect.token == "t"
    assert second.publish is not None
    assert bytes(second.publish.data) == b'{"a" : 1.50}'


def test_the_empty_command_is_the_pong() -> None:
    assert JSON.decode(b"{}") == [frames.Command()]


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\n",
        b"{}\n\n{}",
        b"[]",
        b"1",
        b'{"id":-1}',
        b'{"id":4294967296}',
        b'{"id":1,"connect":[]}',
        b'{"id":1,"subscribe":{"offset":99999999999999999999}}',
        b'{"id":1,"publish":{"channel":"c","data":NaN}}',
        b'{"id":1,"publish":{"channel":"c","data":"\xff"}}',
        b'{"id":1,"publish":{"channel":"c","data":"\\ud800"}}',
        b'{"id":1,"publish":{"channel":"c","data":{"a":\n1}}}',
        b'{"id":1,"publish":{"data":' + b"[" * 20_000 + b"]" * 20_000 + b"}}",
        b'{"id":1,"connect":{"name":"' + b"x" * 65 + b'"}}',
        b"{}\n" * (MAX_COMMANDS_PER_FRAME + 1),
        b'{"id":1,"token":"' + b"x" * MAX_FRAME_BYTES + b'"}',
    ],
)
def test_what_is_no_frame_of_commands_is_a_bad_request(frame: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        JSON.decode(frame)
    assert caught.value.disconnect is DISCONNECT_BAD_REQUEST


@given(st.binary(max_size=300))
def test_any_bytes_are_commands_or_a_protocol_error(frame: bytes) -> None:
    try:
        commands = JSON.decode(frame)
    except ProtocolError:
        return
    assert all(isinstance(command, frames.Command) for command in commands)


@given(
    st.dictionaries(
        st.sampled_from([*frames.Command.__struct_fields__, "other"]),
        JSON_VALUES | st.dictionaries(st.sampled_from(["channel", "data", "token", "offset", "subs"]), JSON_VALUES),
    )
)  # fmt: skip
def test_any_json_object_is_a_command_or_a_protocol_error(document: dict[str, object]) -> None:
    try:
        JSON.decode(json.dumps(document).encode())
    except ProtocolError:
        return


@given(JSON_VALUES, st.text(st.characters(exclude_categories=["Cs"])))
def test_payloads_travel_unchanged_and_messages_stay_on_one_line(value: object, channel: str) -> None:
    data = single_line(json.dumps(value, indent=1, ensure_ascii=False).encode())
    publication = frames.Publication(data=frames.raw(data), offset=7)
    message = JSON.encode(frames.Reply(push=frames.Push(channel=channel, pub=publication)))
    assert b"\n" not in message
    decoded = json.loads(message)
    assert decoded["push"]["pub"]["data"] == value
    assert decoded["push"].get("channel", "") == channel


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (frames.Reply(), {}),
        (frames.Reply(id=1, error=frames.Error(107, "")), {"id": 1, "error": {"code": 107, "message": ""}}),
        (frames.Reply(id=1, publish=frames.PublishResult()), {"id": 1, "publish": {}}),
        (frames.Reply(id=1, presence=frames.PresenceResult({})), {"id": 1, "presence": {"presence": {}}}),
        (
            frames.Reply(id=1, presence_stats=frames.PresenceStatsResult(0, 0)),
            {"id": 1, "presence_stats": {"num_clients": 0, "num_users": 0}},
        ),
        (
            frames.Reply(id=1, history=frames.HistoryResult([], "", 0)),
            {"id": 1, "history": {"publications": [], "epoch": "", "offset": 0}},
        ),
        (
            frames.Reply(push=frames.Push(channel="c", join=frames.Join(frames.ClientInfo("", "i")))),
            {"push": {"channel": "c", "join": {"info": {"user": "", "client": "i"}}}},
        ),
        (
            frames.Reply(push=frames.Push(channel="c", unsubscribe=frames.Unsubscribe(2000, ""))),
            {"push": {"channel": "c", "unsubscribe": {"code": 2000, "reason": ""}}},
        ),
        (frames.Reply(id=3, subscribe=frames.SubscribeResult(offset=0)), {"id": 3, "subscribe": {}}),
    ],
)
def test_zero_is_left_out_except_where_clients_expect_it(reply: frames.Reply, expected: dict[str, object]) -> None:
    assert json.loads(JSON.encode(reply)) == expected


def test_a_reply_can_be_read_back() -> None:
    reply = frames.Reply(id=1, connect=frames.ConnectResult(client="c", version="v", ping=25, pong=True))
    assert msgspec.json.decode(JSON.encode(reply), type=frames.Reply) == reply


def test_frames_join_messages_with_newlines() -> None:
    assert JSON.join([b"{}"]) == b"{}"
    assert JSON.join([b"{}", b'{"id":1}']) == b'{}\n{"id":1}'
    assert JSON.encode(frames.Reply()) == JSON.ping


@pytest.mark.parametrize("data", [b"", b"{", b"nope", b'"\xff"', b"1 2", b"[" * 100_000])
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - UnicodeDecodeError is one, with its own text
        single_line(data)


def publish(payload: bytes) -> bytes:
    return b'{"id":1,"publish":{"channel":"c","data":%s}}' % payload


def nested(levels: int) -> bytes:
    return b'[{"a":' * (levels // 2) + b"1" + b"}]" * (levels // 2)


def test_payloads_nest_so_deep_and_no_deeper() -> None:
    JSON.decode(publish(nested(MAX_NESTING)))
    single_line(nested(MAX_NESTING))
    for refused in (publish(nested(MAX_NESTING + 2)), b"{}\n" + publish(nested(MAX_NESTING + 2))):
        with pytest.raises(ProtocolError, match="nested"):
            JSON.decode(refused)
    with pytest.raises(ValueError, match="nested"):
        single_line(nested(MAX_NESTING + 2))


@pytest.mark.parametrize(
    "flat",
    [
        b"[" + b",".join([b"{}"] * 2_000) + b"]",
        b'["' + b"[" * 5_000 + b'"]',
        b'["\\"' + b"[" * 5_000 + b'\\\\"]',
        b'{"' + b"{" * 5_000 + b'":1}',
    ],
)
def test_many_brackets_are_not_deep(flat: bytes) -> None:
    assert not too_deep(flat)
    JSON.decode(publish(flat))


def test_strings_without_end_are_read_once() -> None:
    hostile = b"[" * (MAX_NESTING + 1) + b'"' + b'\\"' * 200_000 + b"\\"
    assert too_deep(hostile)


@given(JSON_VALUES, st.integers(0, 6))
def test_depth_is_what_counting_by_hand_says(value: object, limit: int) -> None:
    def depth(value: object) -> int:
        if isinstance(value, dict):
            return 1 + max(map(depth, value.values()), default=0)
        return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0

    assert too_deep(json.dumps(value, ensure_ascii=False).encode(), limit) == (depth(value) > limit)
