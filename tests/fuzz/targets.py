"""What is fuzzed, as plain functions of bytes: each returns when all is well and raises for whatever must not happen.

`python -m tests.fuzz NAME` lets atheris look for such bytes (`./mobula fuzz`); tests/unit/fuzz runs them on a few.
"""

import asyncio
from collections.abc import Callable

from centrifuge.fossil import apply_delta

from actors.protocol import emulation, frames
from actors.protocol.codec import MAX_COMMANDS_PER_FRAME, ProtocolError
from actors.protocol.fossil import create_delta
from actors.protocol.json_codec import JSON
from actors.protocol.namespaces import Namespaces
from actors.protocol.protobuf_codec import PROTOBUF, WIRE
from actors.protocol.protobuf_wire import WireError, read_varint, write_varint
from actors.protocol.tags_filter import InvalidFilter
from serve_app.realtime.wire import JSON_MESSAGES, PROTOBUF_MESSAGES, Wire
from tests.fixtures.hub import Client, World, settle
from tests.fixtures.realtime import NAMESPACES as NAMESPACES_FILE

Target = Callable[[bytes], None]

NAMESPACES = Namespaces.parse(NAMESPACES_FILE)

SEPARATOR = b"\xfe\xff"
"""Between the frames of one connection: no JSON has it."""


def delimited(command: frames.Command) -> bytes:
    """One command as a frame of Protobuf."""
    content, out = WIRE.encode(command), bytearray()
    write_varint(out, len(content))
    return bytes(out) + content


def json_codec(data: bytes) -> None:
    """Any bytes are commands or a protocol error; a filter is valid or said to be invalid."""
    try:
        commands = JSON.decode(data)
    except ProtocolError:
        return
    assert 0 < len(commands) <= MAX_COMMANDS_PER_FRAME
    for command in commands:
        if command.subscribe is not None and command.subscribe.tf:
            try:
                JSON.tags_filter(bytes(command.subscribe.tf)).matches({"a": "1", "b": ""})
            except InvalidFilter:
                continue


def protobuf_codec(data: bytes) -> None:
    """Any bytes are commands or a protocol error, and what was understood is understood again after encoding it."""
    try:
        commands = PROTOBUF.decode(data)
    except ProtocolError:
        return
    assert 0 < len(commands) <= MAX_COMMANDS_PER_FRAME
    for command in commands:
        assert WIRE.decode(frames.Command, WIRE.encode(command)) == command
        if command.subscribe is not None and command.subscribe.tf:
            try:
                PROTOBUF.tags_filter(bytes(command.subscribe.tf)).matches({"a": "1", "b": ""})
            except InvalidFilter:
                continue


def varint(data: bytes) -> None:
    """A varint is read within its bytes or refused, and its value is written as it was read."""
    try:
        value, position = read_varint(data, 0, len(data))
    except WireError:
        return
    assert 0 < position <= len(data)
    assert 0 <= value < 2**64
    out = bytearray()
    write_varint(out, value)
    assert read_varint(bytes(out), 0, len(out)) == (value, len(out))


def fossil(data: bytes) -> None:
    """A patch makes the target of its origin, in the SDK's hands."""
    cut = int.from_bytes(data[:2]) % (len(data) + 1)
    origin, target = data[2:][:cut], data[2:][cut:]
    patch = create_delta(origin, target)
    if patch is not None:
        assert apply_delta(origin, patch) == target


def emulated(data: bytes) -> None:
    """The body of an emulation request is understood or refused."""
    for binary in (False, True):
        try:
            session, node, content = emulation.decode(data, binary=binary)
        except emulation.NoEmulationRequest:
            continue
        assert isinstance(content, bytes)
        assert isinstance(session + node, str)


def connection(data: bytes) -> None:
    """A connection that is sent any frames, after a good connect or without: no exception, and an end with a code."""
    asyncio.run(_connection(data))


async def _connection(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    binary, known = bool(kind and kind[0] & 1), bool(kind and kind[0] & 2)
    wire: Wire = PROTOBUF_MESSAGES if binary else JSON_MESSAGES
    world = World(parsed=NAMESPACES)
    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    try:
        client = Client(world.hub, wire=wire)
        if known:
            command = frames.Command(id=1, connect=frames.ConnectRequest(token="good:u1"))
            first = delimited(command) if binary else b'{"id":1,"connect":{"token":"good:u1"}}'
            world.hub.receive(client.peer, first)
            await settle()
            assert client.socket.closed is None
        for frame in rest.split(SEPARATOR):
            world.hub.receive(client.peer, frame)
            await settle()
        if client.socket.closed is not None:
            code, reason = client.socket.closed
            assert 3000 <= code < 5000
            assert reason
            assert world.hub.connections == 0
        world.hub.lost(client.peer)
        assert world.hub.connections == 0
        assert not failures, failures
    finally:
        await world.hub.stop()


TARGETS: dict[str, Target] = {
    "json": json_codec,
    "protobuf": protobuf_codec,
    "varint": varint,
    "fossil": fossil,
    "emulation": emulated,
    "connection": connection,
}

SEEDS: dict[str, tuple[bytes, ...]] = {
    "json": (
        b'{"id":1,"connect":{"token":"t","subs":{"a":{"recover":true,"epoch":"e","offset":1}}}}',
        b'{"id":2,"subscribe":{"channel":"room:1","tf":{"op":"and","nodes":[{"key":"a","cmp":"gte","val":"1"}]}}}\n{}',
        b'{"id":3,"history":{"channel":"a","limit":3,"since":{"offset":1,"epoch":"e"},"reverse":true}}',
    ),
    "protobuf": tuple(
        delimited(command)
        for command in (
            frames.Command(id=1, connect=frames.ConnectRequest(token="t")),
            frames.Command(
                id=2, subscribe=frames.SubscribeRequest(channel="room:1", recover=True, epoch="e", offset=9)
            ),
        )
    ),
    "varint": (b"\x01", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    "fossil": (b"\x00\x1d" + b"the same text, the same text!" + b"the same text, the same test!",),
    "emulation": (b'{"session":"s","node":"n","data":"{}"}', b"\n\x01s\x12\x01n\x1a\x02{}"),
    "connection": (
        b"\x00" + b'{"id":1,"connect":{"token":"good:u1"}}\n{"id":2,"subscribe":{"channel":"room:1"}}',
        b"\x02"
        + b'{"id":2,"subscribe":{"channel":"room:1"}}'
        + SEPARATOR
        + b'{"id":3,"publish":{"channel":"a","data":1}}',
        b"\x02" + b'{"id":2,"rpc":{"method":"m","data":{}}}' + SEPARATOR + b"{}" + SEPARATOR + b'{"send":{"data":1}}',
        b"\x03" + delimited(frames.Command(id=2, subscribe=frames.SubscribeRequest(channel="a"))),
    ),
}
"""A few good inputs each, from which the fuzzer departs."""
