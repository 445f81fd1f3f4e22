"""A registry as data, and the sum of several.

Counters and histograms add up. Gauges add up too (connections, pool sizes), except rates, which average, and what every
process of a node sees alike, of which the largest counts.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.utils import floatToGoString

AVERAGED = frozenset({"cache_hit_rate"})
"""Gauges whose sum over processes means nothing."""

LARGEST = frozenset({"haproxy_processes"})
"""Gauges that every process of a node sees alike."""

CUMULATIVE = frozenset({"counter", "histogram", "summary"})
"""Kinds that only grow: what a dead process counted stays counted."""


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One number: its name (with suffix), its labels in order, its value."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Family(msgspec.Struct, frozen=True, array_like=True):
    """All samples of one metric."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]


Snapshot = tuple[Family, ...]


class Push(msgspec.Struct, frozen=True, array_like=True):
    """One process's numbers. `boot` is minted by each run of a process."""

    boot: str
    snapshot: tuple[Family, ...]


def take(registry: CollectorRegistry) -> Snapshot:
    """What the registry holds now. Creation times are left out: they mean nothing in a sum."""
    return tuple(
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            tuple(
                Sample(sample.name, tuple(sorted(sample.labels.items())), float(sample.value))
                for sample in metric.samples
                if not sample.name.endswith("_created")
            ),
        )
        for metric in registry.collect()
    )


def add(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The sum of snapshots, in the order of first appearance."""
    families: dict[str, Family] = {}
    sums: dict[str, dict[tuple[str, Any], list[float]]] = {}
    for snapshot in snapshots:
        for family in snapshot:
            families.setdefault(family.name, family)
            values = sums.setdefault(family.name, {})
            for sample in family.samples:
                values.setdefault((sample.name, sample.labels), []).append(sample.value)
    return tuple(
        Family(
            family.name,
            family.kind,
            family.help,
            tuple(
                Sample(name, labels, _merged(family.name, values))
                for (name, labels), values in sums[family.name].items()
            ),
        )
        for family in families.values()
    )


def _merged(family: str, values: list[float]) -> float:
    if family in LARGEST:
        return max(values)
    return sum(values) / (len(values) if family in AVERAGED else 1)


def cumulative(snapshot: Snapshot) -> Snapshot:
    """Only what outlives its process."""
    return tuple(family for family in snapshot if family.kind in CUMULATIVE)


def render(snapshot: Snapshot) -> str:
    """The Prometheus text format (0.0.4)."""
    lines: list[str] = []
    for family in snapshot:
        name = f"{family.name}_total" if family.kind == "counter" else family.name
        documentation = family.help.replace("\\", "\\\\").replace("\n", "\\n")
        lines += [f"# HELP {name} {documentation}", f"# TYPE {name} {family.kind}"]
        lines += [f"{sample.name}{_labels(sample.labels)} {_number(sample.value)}" for sample in family.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    if not labels:
        return ""
    escaped = ((name, value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')) for name, value in labels)
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"


def _number(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]
