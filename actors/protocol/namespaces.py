"""What channels may do: the namespaces declared in one YAML file, and the rules of a channel among them.

    personal_channel_namespace: user
    namespaces:
      default:            # channels without a colon
        presence: true
      room:
        history_size: 100
        history_ttl: 5m

Option names and meanings are those that users of this protocol know (`actors.protocol.namespace`).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Final, Self

from actors.protocol import presence_maps
from actors.protocol.channel_patterns import SLASH, ChannelPatterns, Match
from actors.protocol.channels import (
    MAX_CHANNEL_BYTES,
    PRIVATE_PREFIX,
    USER_BOUNDARY,
    USER_SEPARATOR,
    ChannelName,
    InvalidChannel,
    parse,
    user_channel,
)
from actors.protocol.namespace import Namespace, option_names
from actors.protocol.namespace_file import NamespaceMistake, read
from actors.protocol.rates import RateLimits

__all__ = ["DEFAULT_NAMESPACE", "Namespace", "NamespaceMistake", "Namespaces", "UnknownNamespace", "option_names"]

DEFAULT_NAMESPACE = "default"
"""The name under which the rules for channels without a colon are declared."""


_NO_LIMITS: Final = RateLimits()
_SLASHES: Final = (SLASH, PRIVATE_PREFIX + SLASH)


class UnknownNamespace(LookupError):
    """The channel's namespace is not declared: error 102 to a client."""


class Namespaces:
    """All declared namespaces. Immutable: a reload makes a new object."""

    def __init__(
        self,
        by_name: Mapping[str, Namespace],
        personal_channel_namespace: str = "",
        rate_limits: RateLimits = _NO_LIMITS,
        *,
        version: str = "",
    ) -> None:
        self.version = version
        """Identity of the text that they were read from: processes compare it."""
        self._by_name = dict(by_name)
        self._presence_maps: dict[str, Namespace] = {}
        self._by_pattern = ChannelPatterns()
        for namespace in self._by_name.values():
            if namespace.pattern:
                self._by_pattern.add(namespace.name, namespace.pattern)
        self._has_patterns = any(namespace.pattern for namespace in self._by_name.values())
        self._patterns = {n: re.compile(ns.channel_regex) for n, ns in self._by_name.items() if ns.channel_regex}
        self._personal = personal_channel_namespace
        self.rate_limits = rate_limits
        self.has_rates = rate_limits != _NO_LIMITS or any(namespace.has_rates for namespace in self._by_name.values())
        """Whether anybody is held to a rate."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and validate a file. Raises NamespaceMistake, or OSError when it cannot be read."""
        return cls.parse(path.read_text(encoding="utf-8"), source=str(path))

    @classmethod
    def parse(cls, text: str, source: str = "namespaces.yaml") -> Self:
        """Validate YAML text. Raises NamespaceMistake with all mistakes."""
        declared = read(text, source)
        version = blake2b(text.encode(), digest_size=6).hexdigest()
        return cls(declared.namespaces, declared.personal, declared.rate_limits, version=version)

    @property
    def names(self) -> list[str]:
        """Declared names, the default's included when declared."""
        return list(self._by_name)

    def get(self, name: str) -> Namespace:
        """The namespace called `name` ('' for the default). Raises UnknownNamespace."""
        found = self._by_name.get(name or DEFAULT_NAMESPACE)
        if found is None:
            raise UnknownNamespace(name or DEFAULT_NAMESPACE)
        return found

    def for_channel(self, channel: str) -> Namespace:
        """The rules of a channel. Raises UnknownNamespace, or InvalidChannel for a name outside the grammar."""
        return self.resolve(channel)[0]

    def resolve(self, channel: str) -> tuple[Namespace, ChannelName]:
        """The rules of a channel and its name taken apart. Raises UnknownNamespace or InvalidChannel.

        For presence as a map, the rules of that and the name of the channel whose presence it is.
        """
        name = parse(channel)
        shown = presence_maps.parse(channel)
        if shown is not None:
            return self._resolve_presence(shown.channel)
        if self._has_patterns and channel.startswith(_SLASHES):
            match = self._match(channel, name)
            if match is None:
                raise UnknownNamespace("channel does not fit any pattern")
            name = replace(name, namespace=match.namespace)
        elif name.namespace == DEFAULT_NAMESPACE:
            raise UnknownNamespace(f"'{DEFAULT_NAMESPACE}:' is no prefix: channels without a colon use it")
        namespace = self.get(name.namespace)
        if namespace.pattern and not channel.startswith(_SLASHES):
            raise UnknownNamespace(f"the channels of '{namespace.name}' have the form {namespace.pattern}")
        if namespace.channel_max_length < MAX_CHANNEL_BYTES:
            parse(channel, namespace.channel_max_length)
        pattern = self._patterns.get(namespace.name)
        if pattern is not None:
            prefix = f"{name.namespace}:" if name.namespace and not namespace.pattern else ""
            rest = channel.removeprefix("$").removeprefix(prefix)
            if pattern.fullmatch(rest) is None:
                raise InvalidChannel(f"channel does not match the pattern of '{namespace.name}'")
        return namespace, name

    def _resolve_presence(self, channel: str) -> tuple[Namespace, ChannelName]:
        if presence_maps.parse(channel) is not None:
            raise InvalidChannel("presence has no presence")
        namespace, name = self.resolve(channel)
        rules = self._presence_maps.get(namespace.name)
        if rules is None:
            rules = self._presence_maps[namespace.name] = presence_maps.rules_of(namespace)
        return rules, name

    def variables(self, channel: str) -> Mapping[str, str]:
        """What the variables of a channel's pattern are; empty for a channel without one, or an unknown one."""
        if not self._has_patterns or not channel.startswith(_SLASHES):
            return {}
        match = self._match(channel, parse(channel))
        return match.variables if match is not None else {}

    def _match(self, channel: str, name: ChannelName) -> Match | None:
        body = channel.removeprefix(PRIVATE_PREFIX)
        return self._by_pattern.match(body if name.users is None else body.rpartition(USER_BOUNDARY)[0])

    def personal_channel(self, user: str) -> str:
        """The channel every connection of this user is subscribed to, or '' when there is none.

        An id with a comma or a number sign has none: the name would let in whoever is called like a part of it.
        """
        if not self._personal or not user or USER_SEPARATOR in user or USER_BOUNDARY in user:
            return ""
        return user_channel(self._personal, user)
