"""What an application's callbacks answer: plain yes or no, or more.

Their JSON goes into frames as it is, so `checked` is the way in: one line of valid JSON, or ValueError (TypeError for
what is no bytes). A line break would end the frame in the middle for everybody who reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from actors.protocol.json_codec import single_line
from actors.protocol.tags_filter import TagsFilter, parse
from serve_app.realtime.capabilities import NOTHING
from serve_app.realtime.credentials import Credentials


@dataclass(frozen=True, slots=True)
class Admission:
    """The connection is let in as this user. `data` is raw JSON for the client, part of the connect result."""

    credentials: Credentials
    data: bytes = b""

    def checked(self) -> "Admission":
        """The same with its JSON as single lines. ValueError also for who could not have come with a token."""
        who = self.credentials
        if not all(text.isprintable() for text in (who.user, who.session, who.token_id)):
            # It becomes part of rows, beside those of others.
            raise ValueError("a user, session or token id with characters that cannot be printed")
        subs = {
            channel: replace(sub, info=one_line(sub.info), data=one_line(sub.data)) for channel, sub in who.subs.items()
        }
        return Admission(replace(who, info=one_line(who.info), meta=one_line(who.meta), subs=subs), one_line(self.data))


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
    tags_filter: bytes = b""
    """The subscriber gets only publications whose tags match: a filter as clients write theirs, and beside it."""
    again_at: float | None = None
    """Unix time at which the callback is asked again while the subscription goes on; refused, it ends with 2000."""

    def checked(self) -> "Granted":
        """The same with its JSON as single lines. Raises ValueError for what is none, or no filter."""
        self.tags()
        return replace(self, info=one_line(self.info), data=one_line(self.data))

    def tags(self) -> TagsFilter | None:
        """The filter, if there is one. Raises InvalidFilter."""
        return parse(self.tags_filter) if self.tags_filter else None


def one_line(data: bytes) -> bytes:
    """Raw JSON of an application as one line; nothing stays nothing. Raises ValueError or TypeError."""
    return single_line(data) if data else b""
