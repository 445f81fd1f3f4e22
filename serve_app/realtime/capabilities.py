"""Capabilities: what a token lets its holder do beyond what the namespaces allow.

A connection token carries `caps`, a list of `{"channels": […], "match": "", "allow": ["sub", "pub", "hst", "prs"]}`;
the first entry with a matching channel decides alone. A subscription token carries `allow`, for its own channel.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

SUBSCRIBE: Final = "sub"
PUBLISH: Final = "pub"
HISTORY: Final = "hst"
"""Also makes the subscription recoverable and positioned when its client asks for it."""
PRESENCE: Final = "prs"
"""Also lets joins and leaves through when its client asks for them."""

KNOWN: Final = frozenset({SUBSCRIBE, PUBLISH, HISTORY, PRESENCE})
NOTHING: Final[frozenset[str]] = frozenset()

MAX_ENTRIES: Final = 64
MAX_CHANNELS: Final = 128
MAX_PATTERN_LENGTH: Final = 256
"""Bounds of `caps`: a token is read once, but its capabilities are looked at with every command."""


@dataclass(frozen=True, slots=True)
class Capability:
    """One entry: channels and what is allowed there."""

    exact: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]
    allow: frozenset[str]

    def matches(self, channel: str) -> bool:
        """Whether the entry is about this channel."""
        return channel in self.exact or any(pattern.fullmatch(channel) for pattern in self.patterns)


Capabilities = tuple[Capability, ...]


def allowed(capabilities: Capabilities, channel: str) -> frozenset[str]:
    """What the first entry about the channel allows."""
    for capability in capabilities:
        if capability.matches(channel):
            return capability.allow
    return NOTHING


def parse(claim: Any) -> Capabilities:
    """The claim `caps`. Raises ValueError."""
    if claim is None:
        return ()
    if not isinstance(claim, list) or len(claim) > MAX_ENTRIES:
        raise ValueError(f"caps is no list of at most {MAX_ENTRIES} entries")
    return tuple(_entry(entry) for entry in claim)


def parse_allow(claim: Any) -> frozenset[str]:
    """The claim `allow`. Raises ValueError. What it names and we do not know has no effect."""
    if claim is None:
        return NOTHING
    if not isinstance(claim, list) or not all(isinstance(item, str) for item in claim):
        raise ValueError("allow is no list of texts")
    return KNOWN.intersection(claim)


def _entry(entry: Any) -> Capability:
    if not isinstance(entry, Mapping):
        raise ValueError("an entry of caps is no object")  # noqa: TRY004 - one kind of error for everything in a claim
    channels = entry.get("channels")
    if not isinstance(channels, list) or len(channels) > MAX_CHANNELS:
        raise ValueError(f"channels of an entry of caps is no list of at most {MAX_CHANNELS}")
    if not all(isinstance(channel, str) and 0 < len(channel) <= MAX_PATTERN_LENGTH for channel in channels):
        raise ValueError(f"a channel in caps is no text of at most {MAX_PATTERN_LENGTH} characters")
    allow = parse_allow(entry.get("allow"))
    match entry.get("match", ""):
        case "" | "exact":
            return Capability(frozenset(channels), (), allow)
        case "wildcard":
            return Capability(frozenset(), tuple(_wildcard(channel) for channel in channels), allow)
        case "regex":
            return Capability(frozenset(), tuple(_regex(channel) for channel in channels), allow)
        case other:
            raise ValueError(f"match of an entry of caps is {other!r}, not exact, wildcard or regex")


# Tokens of one issuer repeat the same patterns: compiled once, shared by all connections.


@lru_cache(maxsize=1024)
def _wildcard(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in re.split(r"\*+", pattern)))


@lru_cache(maxsize=1024)
def _regex(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as reason:
        raise ValueError(f"{pattern!r} in caps is no regular expression: {reason}") from None
