"""What operators ask the realtime processes, and what those answer. Travels by `SessionClient.ask_hubs`, in msgpack.

The asking half is here too; the answering half is `serve_app.realtime.inspector`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec

from actors.sessions.contract import SessionClient

PAGE_MAX: Final = 200
"""Connections or endings in one answer of one process: about 80 KB."""

CHANNELS_SHOWN: Final = 20
"""Channels of a connection in a list; the question about one connection shows all."""


TRACE_PREFIX: Final = "trace:"
"""Channels that traces are published to; their namespace is for operators."""

SECONDS_MAX: Final = 900
FRAMES_MAX: Final = 10_000
"""Bounds of one trace, in each process."""


class AskNode(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """How much do you hold? Answered by `NodeReport`."""


class AskConnections(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """Who is connected? By client id, after `after`; empty conditions mean anybody. Answered by `ConnectionPage`."""

    user: str | None = None
    """'' asks for anonymous connections."""
    channel: str = ""
    session: str = ""
    client: str = ""
    after: str = ""
    limit: int = PAGE_MAX


class AskEndings(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """Which connections ended lately, and why? Newest first. Answered by `EndingPage`."""

    user: str | None = None
    client: str = ""
    limit: int = PAGE_MAX


class CloseConnection(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """End one connection, whoever it belongs to. Answered by `Done`."""

    client: str
    code: int
    reason: str


class StartTrace(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """Publish to `trace:<id>` what a user's connections, one connection or a channel does. Answered by `Done`."""

    id: str
    user: str = ""
    client: str = ""
    channel: str = ""
    seconds: int = 60
    frames: int = 1_000
    """So many events at most, in each process."""


class StopTrace(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """End a trace before its time. Answered by `Done`."""

    id: str


class AskTraces(msgspec.Struct, array_like=True, frozen=True, tag=7):
    """What is being traced? Answered by `TracePage`."""


class AskNamespaces(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """Which rules are in force? Answered by `NamespacesReport`."""


class Done(msgspec.Struct, array_like=True, frozen=True):
    """Whether what was asked for was there to be done."""

    found: bool


class NodeReport(msgspec.Struct, array_like=True, frozen=True):
    """One realtime process."""

    hub: str
    name: str
    connections: int
    users: int
    subscriptions: int
    channels: int
    uptime_s: int
    cpu_percent: float
    """Of one core, on average since the process started."""
    rss_bytes: int
    transports: dict[str, int]


class HeldChannel(msgspec.Struct, array_like=True, frozen=True):
    """One subscription of a connection."""

    channel: str
    state: str
    server_side: bool
    positioned: bool
    expires_at: float | None
    epoch: str = ""
    offset: int = 0
    """How far the channel was written to its subscribers in this process."""


class HeldConnection(msgspec.Struct, array_like=True, frozen=True):
    """One connection. Times are Unix milliseconds."""

    hub: str
    client: str
    user: str
    session: str
    state: str
    transport: str
    name: str
    version: str
    opened_ms: int
    expires_at: float | None
    queue_bytes: int
    """Written to the transport and not read by the client yet."""
    commands: int
    """Commands that wait for an answer."""
    channel_count: int
    channels: list[HeldChannel]
    traced: bool
    frames: list[dict[str, Any]]
    """The last frames, secrets redacted: only when the connection is asked for by its id."""
    info: bytes = b""
    """What its token says about who it is, as JSON, or nothing."""


class ConnectionPage(msgspec.Struct, array_like=True, frozen=True):
    """Some of a process's connections, and how many there are that meet the conditions."""

    total: int
    connections: list[HeldConnection]


class Ending(msgspec.Struct, array_like=True, frozen=True):
    """How one connection ended. `code` 0: its transport went away without one."""

    hub: str
    client: str
    user: str
    session: str
    transport: str
    opened_ms: int
    ended_ms: int
    code: int
    reason: str
    queue_bytes: int
    info: bytes = b""
    frames: Sequence[dict[str, Any]] = ()
    """The last frames, secrets redacted: only when the connection is asked for by its id."""


class EndingPage(msgspec.Struct, array_like=True, frozen=True):
    """The last endings of a process."""

    endings: list[Ending]


class TraceReport(msgspec.Struct, array_like=True, frozen=True):
    """One trace in one process."""

    hub: str
    order: StartTrace
    frames_left: int
    connections: int
    """Traced here now."""
    seconds_left: float = 0.0


class TracePage(msgspec.Struct, array_like=True, frozen=True):
    """The traces of a process."""

    traces: list[TraceReport]


class NamespacesReport(msgspec.Struct, array_like=True, frozen=True):
    """The rules of one process: of each namespace the options that differ from their defaults, as written in YAML."""

    hub: str
    version: str
    namespaces: dict[str, dict[str, Any]]
    mistakes: list[str]
    """Why the newest file is not in force; empty when it is."""


AnyQuestion = (
    AskNode | AskConnections | AskEndings | CloseConnection | StartTrace | StopTrace | AskTraces | AskNamespaces
)

DecodeError: Final = msgspec.DecodeError
encode: Final = msgspec.msgpack.Encoder().encode
decode_question: Final = msgspec.msgpack.Decoder[AnyQuestion](AnyQuestion).decode

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Survey:
    """Answers of all processes, and those that gave none in time."""

    answers: Sequence[Any]
    silent: Sequence[str] = field(default_factory=tuple)


def is_done(answer: bytes) -> bool:
    """Whether an answer to an order says that it was carried out."""
    return bool(answer) and msgspec.msgpack.decode(answer, type=Done).found


async def ask(sessions: SessionClient, question: AnyQuestion, answer: type[Any], *, hub: str = "") -> Survey:
    """Ask every realtime process, or one. Raises SessionsUnreachable."""
    found = await sessions.ask_hubs(encode(question), hub=hub)
    decoder = msgspec.msgpack.Decoder(answer)
    return Survey([decoder.decode(raw) for raw in found.answers.values() if raw], found.silent)


async def ask_nodes(sessions: SessionClient) -> Sequence[NodeReport]:
    """All realtime processes, by name."""
    survey = await ask(sessions, AskNode(), NodeReport)
    return sorted(survey.answers, key=lambda report: (report.name, report.hub))
