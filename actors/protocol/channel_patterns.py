"""Patterns of channels: `/users/:user/devices/:device` is the namespace of `/users/42/devices/7`.

A pattern begins with a slash; a segment that begins with a colon is a variable and matches one whole segment, which is
not empty. Where two patterns fit, the one whose first differing segment is written out wins over one with a variable
there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

SLASH: Final = "/"
MAX_SEGMENTS: Final = 16

_VARIABLE: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Match:
    """The namespace of a channel, and what its variables are."""

    namespace: str
    variables: Mapping[str, str]


@dataclass(slots=True)
class _Node:
    written: dict[str, "_Node"] = field(default_factory=dict)
    variable: "_Node | None" = None
    namespace: str = ""
    names: tuple[str, ...] = ()


class SamePattern(ValueError):
    """Two patterns fit exactly the same channels."""


def segments(pattern: str) -> list[str]:
    """A pattern's segments. Raises ValueError for what is no pattern."""
    if not pattern.startswith(SLASH):
        raise ValueError("a pattern begins with /")
    parts = pattern[1:].split(SLASH)
    if len(parts) > MAX_SEGMENTS or not all(parts):
        raise ValueError(f"a pattern has 1 to {MAX_SEGMENTS} segments, none of them empty")
    names = [part[1:] for part in parts if part.startswith(":")]
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"'{name}' is no name for a variable: a-z first, then a-z 0-9 _")
    if len(set(names)) < len(names):
        raise ValueError("a variable has one place in a pattern")
    for part in parts:
        if not part.startswith(":") and (":" in part or "#" in part or not part.isprintable()):
            raise ValueError(f"'{part}' holds a colon, a # or an unprintable character")
    return parts


class ChannelPatterns:
    """The patterns of all namespaces that have one."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, namespace: str, pattern: str) -> None:
        """Raises ValueError for what is no pattern, SamePattern when another namespace has these channels."""
        node = self._root
        parts = segments(pattern)
        for part in parts:
            if part.startswith(":"):
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.written.setdefault(part, _Node())
        if node.namespace:
            raise SamePattern(f"'{pattern}' fits the same channels as the pattern of '{node.namespace}'")
        node.namespace, node.names = namespace, tuple(part[1:] for part in parts if part.startswith(":"))

    def match(self, channel: str) -> Match | None:
        """The namespace whose pattern fits, or None. Without `$`, and without a user part."""
        if not channel.startswith(SLASH):
            return None
        return _find(self._root, channel[1:].split(SLASH), 0, [])


def _find(node: _Node, parts: Sequence[str], position: int, values: list[str]) -> Match | None:
    if position == len(parts):
        return Match(node.namespace, dict(zip(node.names, values, strict=True))) if node.namespace else None
    part = parts[position]
    written = node.written.get(part)
    if written is not None:
        found = _find(written, parts, position + 1, values)
        if found is not None:
            return found
    if node.variable is not None and part:
        return _find(node.variable, parts, position + 1, [*values, part])
    return None
