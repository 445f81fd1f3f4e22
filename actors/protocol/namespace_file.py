"""Reads the YAML file of namespaces and reports every mistake with its line, not only the first."""

import re
from typing import Any, Final, NamedTuple

import msgspec
import yaml

from actors.protocol.channel_patterns import ChannelPatterns, SamePattern
from actors.protocol.namespace import DURATION_SUFFIX, GROUPS, Namespace, field_types, written_options
from actors.protocol.presence_maps import RESERVED
from actors.protocol.rates import OperationRates, RateLimits

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_DURATION: Final = re.compile(r"(\d+)(s|m|h|d)?")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class NamespaceMistake(ValueError):
    """The file cannot be used. The message lists every mistake as `file:line: what`."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class Declared(NamedTuple):
    """What a file says."""

    namespaces: dict[str, Namespace]
    personal: str = ""
    """The personal channel's namespace; empty: users have none."""
    rate_limits: RateLimits = RateLimits()


def read(text: str, source: str) -> Declared:
    """What the text declares. Raises NamespaceMistake with all mistakes."""
    reader = _Reader(source)
    declared = reader.read(text)
    if reader.mistakes:
        raise NamespaceMistake(reader.mistakes)
    return declared


class _Reader:
    """Walks the YAML node tree, which knows lines, and collects mistakes instead of stopping at the first."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._patterns = ChannelPatterns()
        self._lines: dict[str, yaml.Node] = {}
        """Options of the namespace that was read last."""
        self.mistakes: list[str] = []

    def _mistake(self, node: yaml.Node | None, what: str) -> None:
        line = node.start_mark.line + 1 if node is not None else 1
        self.mistakes.append(f"{self._source}:{line}: {what}")

    def read(self, text: str) -> Declared:
        try:
            loader = yaml.SafeLoader(text)
            root = loader.get_single_node()
        except yaml.MarkedYAMLError as reason:
            line = reason.problem_mark.line + 1 if reason.problem_mark else 1
            self.mistakes.append(f"{self._source}:{line}: {reason.problem or reason.context}")
            return Declared({})
        except yaml.YAMLError as reason:
            self.mistakes.append(f"{self._source}:1: {reason}")
            return Declared({})
        if not isinstance(root, yaml.MappingNode):
            self._mistake(root, "expected 'namespaces:' with one entry per namespace")
            return Declared({})
        by_name: dict[str, Namespace] = {}
        personal = ""
        personal_node: yaml.Node | None = None
        rate_limits = RateLimits()
        seen_namespaces = False
        for key, value in self._pairs(loader, root):
            if key == "namespaces":
                seen_namespaces = True
                by_name = self._namespaces(loader, value)
            elif key == "personal_channel_namespace":
                personal, personal_node = str(loader.construct_object(value)), value
            elif key == "rate_limits":
                rate_limits = self._rate_limits(loader, value)
            else:
                self._mistake(value, f"unknown setting '{key}'")
        if not seen_namespaces:
            self._mistake(root, "expected 'namespaces:' with one entry per namespace")
        if personal_node is not None and personal not in by_name:
            self._mistake(personal_node, f"personal_channel_namespace '{personal}' is not declared")
        elif personal and by_name[personal].pattern:
            self._mistake(personal_node, f"personal_channel_namespace '{personal}' cannot have a pattern")
        elif personal and by_name[personal].subscription_type != "stream":
            self._mistake(personal_node, f"personal_channel_namespace '{personal}' must be one of streams")
        return Declared(by_name, personal, rate_limits)

    def _rate_limits(self, loader: yaml.SafeLoader, node: yaml.Node) -> RateLimits:
        if not isinstance(node, yaml.MappingNode):
            self._mistake(node, "'rate_limits' must hold 'connection' or 'user'")
            return RateLimits()
        found: dict[str, OperationRates] = {}
        for key, value in self._pairs(loader, node):
            if key not in RateLimits.__struct_fields__:
                self._mistake(value, f"rate_limits: unknown option '{key}'")
                continue
            rates = self._group(loader, f"rate_limits: {key}", OperationRates, value)
            if rates is not None:
                found[key] = rates
        return RateLimits(**found)

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
            if name in RESERVED:
                self._mistake(value, f"'{name}' is no name for a namespace: '${name}:' is presence as a map")
                continue
            by_name[name] = self._namespace(loader, name, value)
            self._add_pattern(by_name[name], value)
        return by_name

    def _add_pattern(self, namespace: Namespace, node: yaml.Node) -> None:
        if namespace.pattern:
            try:
                self._patterns.add(namespace.name, namespace.pattern)
            except SamePattern as reason:
                self._mistake(self._lines.get("pattern", node), f"namespace '{namespace.name}': {reason}")
            except ValueError:
                return  # reported as an inconsistency

    def _namespace(self, loader: yaml.SafeLoader, name: str, node: yaml.Node) -> Namespace:
        lines = self._lines = {}
        options: dict[str, Any] = {}
        if isinstance(node, yaml.MappingNode):
            options = self._options(loader, f"namespace '{name}'", Namespace, node, lines)
        elif not (isinstance(node, yaml.ScalarNode) and node.value == ""):
            self._mistake(node, f"namespace '{name}' must hold options")
        namespace = Namespace(name=name, **options)
        for option, what in namespace.inconsistencies():
            self._mistake(lines.get(option, node), f"namespace '{name}': {what}")
        return namespace.with_stream_of_map()

    def _options(
        self,
        loader: yaml.SafeLoader,
        label: str,
        kind: type[msgspec.Struct],
        node: yaml.MappingNode,
        lines: dict[str, yaml.Node],
    ) -> dict[str, Any]:
        """Field → value for what is written; `lines` gets the node of every option."""
        options: dict[str, Any] = {}
        written, types = written_options(kind), field_types(kind)
        for option, value_node in self._pairs(loader, node):
            lines[option] = value_node
            field = written.get(option)
            if field is None:
                self._mistake(value_node, f"{label}: unknown option '{option}'")
                continue
            if kind is Namespace and option in GROUPS:
                options[field] = self._group(loader, f"{label}: {option}", GROUPS[option], value_node)
                continue
            try:
                value = loader.construct_object(value_node, deep=True)
                if field.endswith(DURATION_SUFFIX):
                    value = _seconds(value)
                options[field] = msgspec.convert(value, types[field])
            except (msgspec.ValidationError, ValueError, yaml.YAMLError) as reason:
                self._mistake(value_node, f"{label}: {option}: {reason}")
        return options

    def _group(self, loader: yaml.SafeLoader, label: str, kind: type[Any], node: yaml.Node) -> Any:
        """An option that holds options; None when a required one is missing."""
        if not isinstance(node, yaml.MappingNode):
            self._mistake(node, f"{label} must hold options")
            return None
        lines: dict[str, yaml.Node] = {}
        options = self._options(loader, label, kind, node, lines)
        missing = [field.name for field in msgspec.structs.fields(kind) if field.required and field.name not in options]
        for field in missing:
            if field not in lines:
                self._mistake(node, f"{label}: {field} is missing")
        if missing:
            return None
        group = kind(**options)
        inconsistencies = getattr(group, "inconsistencies", list)
        for option, what in inconsistencies():
            self._mistake(lines.get(option, node), f"{label}: {what}")
        return group


def _seconds(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a duration such as 300, 5m or 30d, got {value!r}")
    return int(match[1]) * _UNIT_SECONDS[match[2] or "s"]
