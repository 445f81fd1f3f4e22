"""What an application's callbacks answer: plain yes or no, or more."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from serve_app.realtime.capabilities import NOTHING
from serve_app.realtime.credentials import Credentials


@dataclass(frozen=True, slots=True)
class Admission:
    """The connection is let in as this user. `data` is raw JSON for the client, part of the connect result."""

    credentials: Credentials
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Granted:
    """Allowed, with more to say than `True`. All JSON is raw.

    For a publication only `data` counts: what is published instead of what the client sent.
    """

    info: bytes = b""
    """What others see as the subscription's `chan_info`."""
    data: bytes = b""
    """For the client, part of the subscribe result."""
    expires_at: float | None = None
    """Unix time at which the subscription ends with 2501; SDKs then subscribe again and the callback is asked again."""
    override: Mapping[str, bool] = field(default_factory=dict)
    """Options of the namespace that are otherwise for this subscription (`actors.protocol.overrides`)."""
    allow: frozenset[str] = NOTHING
    """Capabilities in the channel, such as `pub`."""
