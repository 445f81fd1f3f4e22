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
from pathlib import Path
from typing import Self

from actors.protocol.channels import MAX_CHANNEL_BYTES, ChannelName, parse, user_channel
from actors.protocol.namespace import Namespace, option_names
from actors.protocol.namespace_file import NamespaceMistake, read

__all__ = ["DEFAULT_NAMESPACE", "Namespace", "NamespaceMistake", "Namespaces", "UnknownNamespace", "option_names"]

DEFAULT_NAMESPACE = "default"
"""The name under which the rules for channels without a colon are declared."""


class UnknownNamespace(LookupError):
    """The channel's namespace is not declared: error 102 to a client."""


class Namespaces:
    """All declared namespaces. Immutable: a reload makes a new object."""

    def __init__(self, by_name: Mapping[str, Namespace], personal_channel_namespace: str = "") -> None:
        self._by_name = dict(by_name)
        self._patterns = {n: re.compile(ns.channel_regex) for n, ns in self._by_name.items() if ns.channel_regex}
        self._personal = personal_channel_namespace

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and validate a file. Raises NamespaceMistake, or OSError when it cannot be read."""
        return cls.parse(path.read_text(encoding="utf-8"), source=str(path))

    @classmethod
    def parse(cls, text: str, source: str = "namespaces.yaml") -> Self:
        """Validate YAML text. Raises NamespaceMistake with all mistakes."""
        return cls(*read(text, source))

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
        """The rules of a channel and its name taken apart. Raises UnknownNamespace or InvalidChannel."""
        name = parse(channel)
        if name.namespace == DEFAULT_NAMESPACE:
            raise UnknownNamespace(f"'{DEFAULT_NAMESPACE}:' is no prefix: channels without a colon use it")
        namespace = self.get(name.namespace)
        if namespace.channel_max_length < MAX_CHANNEL_BYTES:
            parse(channel, namespace.channel_max_length)
        pattern = self._patterns.get(namespace.name)
        if pattern is not None:
            rest = channel.removeprefix("$").removeprefix(f"{name.namespace}:" if name.namespace else "")
            if pattern.fullmatch(rest) is None:
                raise UnknownNamespace(f"channel does not match the pattern of '{namespace.name}'")
        return namespace, name

    def personal_channel(self, user: str) -> str:
        """The channel every connection of this user is subscribed to, or '' when there is none."""
        return user_channel(self._personal, user) if self._personal and user else ""
