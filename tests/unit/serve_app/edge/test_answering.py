"""The bytes of an answer are those that uvicorn itself writes."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from serve_app.edge import answering
from serve_app.edge.answering import ReadyCycle
from serve_app.edge.arrival import LINES


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.writes = 0
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data
        self.writes += 1

    def writelines(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def resume_reading(self) -> None: ...


DATE = [(b"Date", b"Thu, 26 Nov 2026 09:00:00 GMT")]


def cycle_of(kind: type[RequestResponseCycle], method: str = "GET", *, keep_alive: bool = True) -> tuple[Any, Wire]:
    wire: Any = Wire()
    logger = logging.getLogger("nothing")
    cycle = kind(
        scope={"type": "http", "method": method},  # type: ignore[typeddict-item]
        transport=wire,
        flow=FlowControl(wire),
        logger=logger,
        access_logger=logger,
        access_log=False,
        default_headers=DATE,
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )
    return cycle, wire


def start(status: int, headers: Sequence[tuple[bytes, bytes]], **more: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers, **more}


def body(data: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


CASES: list[tuple[str, int, list[tuple[bytes, bytes]], list[bytes]]] = [
    ("GET", 200, [(b"content-length", b"2"), (b"content-type", b"application/json")], [b"{}"]),
    ("GET", 200, [(b"Content-Length", b"4")], [b"{", b"}", b"{}"]),
    ("GET", 200, [], [b"one", b"", b"two"]),
    ("GET", 200, [(b"transfer-encoding", b"chunked"), (b"content-length", b"9")], [b"one"]),
    ("GET", 200, [(b"content-length", b"3"), (b"Transfer-Encoding", b"Chunked")], [b"one"]),
    ("HEAD", 200, [(b"content-length", b"2")], [b""]),
    ("HEAD", 200, [], [b""]),
    ("GET", 204, [], [b""]),
    ("GET", 304, [(b"etag", b'"1"')], [b""]),
    ("GET", 599, [(b"content-length", b"0"), (b"link", b"<a>; rel=next\t")], [b""]),
    ("GET", 200, [(b"content-length", b"0"), (b"connection", b"Close, x")], [b""]),
    ("GET", 200, [(b"content-length", b"0"), (b"connection", b"keep-alive")], [b""]),
]


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize(("method", "status", "headers", "chunks"), CASES)
async def test_it_writes_what_uvicorn_writes(
    method: str, status: int, headers: list[tuple[bytes, bytes]], chunks: list[bytes], keep_alive: bool
) -> None:
    outcomes = []
    for kind in (RequestResponseCycle, ReadyCycle):
        cycle, wire = cycle_of(kind, method, keep_alive=keep_alive)
        await cycle.send(start(status, headers))
        for number, chunk in enumerate(chunks, start=1):
            await cycle.send(body(chunk, number < len(chunks)))
        outcomes.append((wire.written.lower(), wire.closed, cycle.response_complete))
    assert outcomes[1] == outcomes[0]
    assert outcomes[0][2]


async def test_finished_lines_are_among_the_headers() -> None:
    cycle, wire = cycle_of(ReadyCycle)
    await cycle.send(start(200, [(b"content-length", b"0")], **{LINES: b"x-frame-options: DENY\r\na: b\r\n"}))
    await cycle.send(body(b""))
    head = wire.written.split(b"\r\n")
    assert {b"x-frame-options: DENY", b"a: b", b"content-length: 0"} <= set(head)
    assert head[-2:] == [b"", b""]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ((b"a b", b"1"), "name"),
        ((b"a\r\nb", b"1"), "name"),
        ((b"a", b"1\r\nb: 2"), "value"),
        ((b"a", b"\x00"), "value"),
    ],
)
async def test_headers_of_handlers_are_looked_at(header: tuple[bytes, bytes], said: str) -> None:
    for kind in (RequestResponseCycle, ReadyCycle):
        cycle, wire = cycle_of(kind)
        with pytest.raises(RuntimeError, match=f"Invalid HTTP header {said}"):
            await cycle.send(start(200, [header]))
        assert wire.written == b""


async def test_the_date_is_rendered_anew_when_uvicorn_replaces_it() -> None:
    dates = []
    for text in (b"Thu", b"Thu", b"Fri"):
        cycle, wire = cycle_of(ReadyCycle)
        cycle.default_headers = [(b"date", text)]
        await cycle.send(start(204, []))
        dates.append(wire.written.split(b"\r\n")[1])
    assert dates == [b"date: Thu", b"date: Thu", b"date: Fri"]


async def test_it_waits_for_room_and_says_nothing_to_who_has_left() -> None:
    cycle, wire = cycle_of(ReadyCycle)
    cycle.flow.pause_writing()
    waiting = asyncio.create_task(cycle.send(start(204, [], **{LINES: b"a: b\r\n"})))
    await asyncio.sleep(0)
    assert wire.written == b""
    cycle.flow.resume_writing()
    await waiting
    assert b"a: b\r\n" in wire.written
    gone, silent = cycle_of(ReadyCycle)
    gone.disconnected = True
    await gone.send(start(204, []))
    assert silent.written == b""


async def test_names_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "_names", {})
    monkeypatch.setattr(answering, "KEPT_NAMES", 3)
    for number in range(10):
        cycle, wire = cycle_of(ReadyCycle)
        await cycle.send(start(204, [(b"X-%d" % number, b"1")]))
        assert b"x-%d: 1\r\n" % number in wire.written
    assert len(answering._names) == 3


@pytest.mark.parametrize(
    ("method", "headers", "chunks", "writes"),
    [
        ("GET", [(b"content-length", b"2")], [b"{}"], [0, 1]),
        ("GET", [(b"content-length", b"0")], [b""], [0, 1]),
        ("GET", [(b"content-length", b"4")], [b"{}", b"[]"], [0, 2, 3]),
        ("HEAD", [(b"content-length", b"2")], [b""], [1, 1]),
        ("GET", [], [b"{}"], [1, 2]),  # no length: a stream, whose client may be waiting for its head
    ],
)
async def test_a_whole_answer_leaves_at_once(
    method: str, headers: list[tuple[bytes, bytes]], chunks: list[bytes], writes: list[int]
) -> None:
    cycle, wire = cycle_of(ReadyCycle, method)
    await cycle.send(start(200, headers))
    counted = [wire.writes]
    for number, chunk in enumerate(chunks, start=1):
        await cycle.send(body(chunk, number < len(chunks)))
        counted.append(wire.writes)
    assert counted == writes


@pytest.mark.parametrize(("length", "said"), [(b"1", "longer"), (b"3", "shorter")])
async def test_a_length_that_is_wrong_is_an_error_as_ever(length: bytes, said: str) -> None:
    for kind in (RequestResponseCycle, ReadyCycle):
        cycle, wire = cycle_of(kind)
        await cycle.send(start(200, [(b"content-length", length)]))
        with pytest.raises(RuntimeError, match=f"content {said} than"):
            await cycle.send(body(b"{}"))
        assert wire.written.startswith(b"HTTP/1.1 200 OK")


async def test_messages_out_of_order_are_an_error_as_ever() -> None:
    for kind in (RequestResponseCycle, ReadyCycle):
        cycle, _ = cycle_of(kind)
        with pytest.raises(RuntimeError, match=r"Expected ASGI message 'http\.response\.start'"):
            await cycle.send(body(b""))
        await cycle.send(start(200, [(b"content-length", b"0")]))
        with pytest.raises(RuntimeError, match=r"Expected ASGI message 'http\.response\.body'"):
            await cycle.send(start(200, []))


async def test_nothing_is_written_to_who_leaves_between_head_and_body() -> None:
    cycle, wire = cycle_of(ReadyCycle)
    await cycle.send(start(200, [(b"content-length", b"2")]))
    cycle.disconnected = True
    await cycle.send(body(b"{}"))
    assert wire.written == b""
