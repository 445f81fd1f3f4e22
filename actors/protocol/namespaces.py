"""What a channel may do: namespaces, declared in one YAML file and validated with the line of every mistake.

    personal_channel_namespace: user
    namespaces:
      default:            # channels without a colon
        presence: true
      room:
        history_size: 100
        history_ttl: 5m

Option names and meanings are those that users of this protocol know. Durations are seconds, or a number with
`s`, `m`, `h` or `d`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_type_hints

import msgspec
import yaml

from actors.protocol.channels import MAX_CHANNEL_BYTES, ChannelName, parse, user_channel

DEFAULT_NAMESPACE = "default"
"""The name under which the rules for channels without a colon are declared."""

MAX_HISTORY_SIZE = 10_000
"""Publications kept in memory per channel at most: a shard holds many channels."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_DURATION = re.compile(r"(\d+)(s|m|h|d)?")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_Count = Annotated[int, msgspec.Meta(ge=0)]


class UnknownNamespace(LookupError):
    """The channel's namespace is not declared: error 102 to a client."""


class NamespaceMistake(ValueError):
    """The file cannot be used. The message lists every mistake as `file:line: what`."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class Namespace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of one namespace. In YAML, `history_ttl_s` and `history_meta_ttl_s` are written without `_s`."""

    name: str = ""
    durable: bool = False
    """Publications are committed to Postgres before they are acknowledged; epoch and offset survive any restart."""
    presence: bool = False
    join_leave: bool = False
    force_push_join_leave: bool = False
    """Send join and leave to every subscriber, asked for or not."""
    history_size: Annotated[int, msgspec.Meta(ge=0, le=MAX_HISTORY_SIZE)] = 0
    history_ttl_s: _Count = 0
    history_meta_ttl_s: Annotated[int, msgspec.Meta(ge=60)] = 30 * 86400
    """How long epoch and top offset outlive the last publication."""
    force_recovery: bool = False
    force_positioning: bool = False
    allow_recovery: bool = False
    allow_positioning: bool = False
    force_recovery_mode: Literal["stream", "cache"] = "stream"
    """`cache`: recovery delivers only the latest publication."""
    recovery_max_publications: Annotated[int, msgspec.Meta(ge=1, le=MAX_HISTORY_SIZE)] = 300
    """More missed than this: `recovered: false`. Also the bound of one history read."""
    allow_subscribe_for_client: bool = False
    allow_subscribe_for_anonymous: bool = False
    allow_publish_for_client: bool = False
    allow_publish_for_subscriber: bool = False
    allow_publish_for_anonymous: bool = False
    allow_history_for_client: bool = False
    allow_history_for_subscriber: bool = False
    allow_history_for_anonymous: bool = False
    allow_presence_for_client: bool = False
    allow_presence_for_subscriber: bool = False
    allow_presence_for_anonymous: bool = False
    allow_user_limited_channels: bool = False
    allow_channel_compaction: bool = True
    """Pushes to clients that understand it carry a small number instead of the channel's name."""
    delta_publish: bool = False
    """Every publication may be sent as a delta against its predecessor."""
    allowed_delta_types: tuple[Literal["fossil"], ...] = ()
    publish_debounce_ms: _Count = 0
    """Asks clients to coalesce their own publications."""
    permission: str = ""
    """Name of the callback that decides whether a signed-in user may subscribe, not `allow_subscribe_for_client`."""
    channel_max_length: Annotated[int, msgspec.Meta(ge=1, le=MAX_CHANNEL_BYTES)] = MAX_CHANNEL_BYTES
    channel_regex: str = ""
    """What follows `namespace:` must match this from start to end; empty: anything."""

    @property
    def has_history(self) -> bool:
        """Whether publications are kept, and so have offsets."""
        return self.history_size > 0 and self.history_ttl_s > 0

    def inconsistencies(self) -> list[tuple[str, str]]:
        """(option, what is wrong) for combinations that could never work."""
        found: list[tuple[str, str]] = []
        if (self.history_size > 0) != (self.history_ttl_s > 0):
            found.append(("history_size", "history needs both history_size and history_ttl"))
        if not self.has_history:
            wants = ["force_recovery", "allow_recovery", "force_positioning", "allow_positioning", "durable"]
            found += [(n, f"{n} needs history_size and history_ttl") for n in wants if getattr(self, n)]
        if self.history_meta_ttl_s < self.history_ttl_s:
            found.append(("history_meta_ttl", "history_meta_ttl must not be shorter than history_ttl"))
        if self.force_push_join_leave and not self.join_leave:
            found.append(("force_push_join_leave", "force_push_join_leave needs join_leave"))
        try:
            re.compile(self.channel_regex)
        except re.error as reason:
            found.append(("channel_regex", f"not a regular expression: {reason}"))
        return found


_DURATIONS = {"history_ttl": "history_ttl_s", "history_meta_ttl": "history_meta_ttl_s"}
_TYPES: Mapping[str, Any] = {
    name: kind for name, kind in get_type_hints(Namespace, include_extras=True).items() if name != "name"
}


def option_names() -> list[str]:
    """The options of a namespace as they are written in YAML, in the order of their declaration."""
    written = {field: option for option, field in _DURATIONS.items()}
    return [written.get(field, field) for field in _TYPES]


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
        reader = _Reader(source)
        by_name, personal = reader.read(text)
        if reader.mistakes:
            raise NamespaceMistake(reader.mistakes)
        return cls(by_name, personal)

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


class _Reader:
    """Walks the YAML node tree, which knows lines, and collects mistakes instead of stopping at the first."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.mistakes: list[str] = []

    def _mistake(self, node: yaml.Node | None, what: str) -> None:
        line = node.start_mark.line + 1 if node is not None else 1
        self.mistakes.append(f"{self._source}:{line}: {what}")

    def read(self, text: str) -> tuple[dict[str, Namespace], str]:
        try:
            loader = yaml.SafeLoader(text)
            root = loader.get_single_node()
        except yaml.MarkedYAMLError as reason:
            line = reason.problem_mark.line + 1 if reason.problem_mark else 1
            self.mistakes.append(f"{self._source}:{line}: {reason.problem or reason.context}")
            return {}, ""
        except yaml.YAMLError as reason:
            self.mistakes.append(f"{self._source}:1: {reason}")
            return {}, ""
        if not isinstance(root, yaml.MappingNode):
            self._mistake(root, "expected 'namespaces:' with one entry per namespace")
            return {}, ""
        by_name: dict[str, Namespace] = {}
        personal = ""
        personal_node: yaml.Node | None = None
        seen_namespaces = False
        for key, value in self._pairs(loader, root):
            if key == "namespaces":
                seen_namespaces = True
                by_name = self._namespaces(loader, value)
            elif key == "personal_channel_namespace":
                personal, personal_node = str(loader.construct_object(value)), value
            else:
                self._mistake(value, f"unknown setting '{key}'")
        if not seen_namespaces:
            self._mistake(root, "expected 'namespaces:' with one entry per namespace")
        if personal_node is not None and personal not in by_name:
            self._mistake(personal_node, f"personal_channel_namespace '{personal}' is not declared")
        return by_name, personal

    def _pairs(self, loader: yaml.SafeLoader, mapping: yaml.MappingNode) -> list[tuple[str, yaml.Node]]:
        """Key and value of a mapping; duplicate keys are mistakes, merge keys (`<<`) are resolved."""
        written: set[str] = set()
        for key_node, _ in mapping.value:
            if key_node.value in written and key_node.value != "<<":
                self._mistake(key_node, f"'{key_node.value}' is given twice")
            written.add(str(key_node.value))
        try:
            loader.flatten_mapping(mapping)
        except yaml.MarkedYAMLError as reason:
            self._mistake(mapping, reason.problem or "bad merge")
            return []
        merged: dict[str, yaml.Node] = {}
        for key_node, value_node in mapping.value:
            merged[str(key_node.value)] = value_node
        return list(merged.items())

    def _namespaces(self, loader: yaml.SafeLoader, node: yaml.Node) -> dict[str, Namespace]:
        if not isinstance(node, yaml.MappingNode):
            self._mistake(node, "'namespaces' must hold one entry per namespace")
            return {}
        by_name: dict[str, Namespace] = {}
        for name, value in self._pairs(loader, node):
            if not _NAME.fullmatch(name):
                self._mistake(value, f"'{name}' is no name for a namespace: a-z first, then a-z 0-9 _ -")
                continue
            by_name[name] = self._namespace(loader, name, value)
        return by_name

    def _namespace(self, loader: yaml.SafeLoader, name: str, node: yaml.Node) -> Namespace:
        options: dict[str, Any] = {}
        lines: dict[str, yaml.Node] = {}
        if isinstance(node, yaml.MappingNode):
            for option, value_node in self._pairs(loader, node):
                lines[option] = value_node
                field = _DURATIONS.get(option, option)
                if field not in _TYPES or (option not in _DURATIONS and field in _DURATIONS.values()):
                    self._mistake(value_node, f"namespace '{name}': unknown option '{option}'")
                    continue
                try:
                    value = loader.construct_object(value_node, deep=True)
                    if option in _DURATIONS:
                        value = _seconds(value)
                    options[field] = msgspec.convert(value, _TYPES[field])
                except (msgspec.ValidationError, ValueError, yaml.YAMLError) as reason:
                    self._mistake(value_node, f"namespace '{name}': {option}: {reason}")
        elif not (isinstance(node, yaml.ScalarNode) and node.value == ""):
            self._mistake(node, f"namespace '{name}' must hold options")
        namespace = Namespace(name=name, **options)
        for option, what in namespace.inconsistencies():
            self._mistake(lines.get(option, node), f"namespace '{name}': {what}")
        return namespace


def _seconds(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a duration such as 300, 5m or 30d, got {value!r}")
    return int(match[1]) * _UNIT_SECONDS[match[2] or "s"]
