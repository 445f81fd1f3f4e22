"""Where a trace reads along: on one connection, or on one channel. `serve_app.realtime.tracing` puts them in place."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import orjson

from actors.brokers import contract
from actors.protocol.codec import Codec
from serve_app.realtime import frame_reading

LAST_FRAMES: Final = 50
"""Kept of each traced connection, for who looks at it later."""

Note = Callable[[set[str], Mapping[str, Any]], Mapping[str, Any]]
"""(ids of traces, event) → the event with its time."""


class Tap:
    """On one traced connection."""

    __slots__ = ("_client", "_codec", "_note", "_user", "frames", "traces")

    def __init__(self, client: str, user: str, codec: Codec, note: Note) -> None:
        self.traces: set[str] = set()
        self.frames: deque[Mapping[str, Any]] = deque(maxlen=LAST_FRAMES)
        self._client = client
        self._user = user
        self._codec = codec
        self._note = note

    def received(self, frame: bytes) -> None:
        """A frame came from the client."""
        for command in frame_reading.commands(self._codec, frame):
            self._record("in", command)

    def sent(self, messages: Sequence[bytes], channel: str = "") -> None:
        """Encoded messages are written to the client; `channel`: all are pushes of this one, which may not name it."""
        about = {"channel": channel} if channel else {}
        for reply in frame_reading.replies(self._codec, messages):
            self._record("out", reply, about)

    def closed(self, code: int, reason: str) -> None:
        """The connection has ended; `code` 0: without a code."""
        self._record("closed", {"code": code, "reason": reason})

    def _record(self, kind: str, frame: Any, about: Mapping[str, Any] = MappingProxyType({})) -> None:
        event = {"kind": kind, "client": self._client, "user": self._user, **about, "frame": frame}
        self.frames.append(self._note(self.traces, event))


class ChannelTap:
    """On one traced channel: what is published into it, who comes and who goes, in this process."""

    __slots__ = ("_name", "_note", "traces")

    def __init__(self, name: str, note: Note) -> None:
        self.traces: set[str] = set()
        self._name = name
        self._note = note

    def published(self, publications: Sequence[contract.Publication], receivers: int) -> None:
        """Publications are written to so many subscribers."""
        for publication in publications:
            seen: dict[str, Any] = {"offset": publication.offset, "receivers": receivers}
            seen["data"] = _payload(publication.data)
            if publication.tags:
                seen["tags"] = dict(publication.tags)
            if publication.key:
                seen["key"] = publication.key
            self._record("publication", seen)

    def announced(self, joined: Sequence[contract.ClientInfo], left: Sequence[contract.ClientInfo]) -> None:
        """Joins and leaves are written to who wants them."""
        for kind, infos in (("join", joined), ("leave", left)):
            for info in infos:
                self._record(kind, {"client": info.client, "user": info.user})

    def attached(self, client: str, user: str) -> None:
        """A connection is a subscriber now."""
        self._record("subscribed", {"client": client, "user": user})

    def detached(self, client: str, user: str) -> None:
        """A connection is no subscriber any more."""
        self._record("unsubscribed", {"client": client, "user": user})

    def _record(self, kind: str, seen: Mapping[str, Any]) -> None:
        self._note(self.traces, {"kind": kind, "channel": self._name, **seen})


def _payload(data: bytes) -> Any:
    try:
        return frame_reading.readable(orjson.loads(data))
    except orjson.JSONDecodeError:
        return {"unreadable": True, "bytes": len(data)}
