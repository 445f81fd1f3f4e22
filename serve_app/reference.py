"""Renders docs/codes.md, docs/namespaces.md and docs/metrics.md from the modules that own these facts.

`python -m serve_app.reference` writes them, `--check` compares (`./mobula fix` and `./mobula check` call it).
"""

import argparse
import ast
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
from prometheus_client.metrics_core import Metric

import db
from actors.metrics import registry
from actors.protocol import codes
from actors.protocol.namespace import DURATION_SUFFIX, GROUPS, Namespace, option_names
from actors.protocol.namespaces import Namespaces
from actors.protocol.rates import OperationRates
from cluster.settings import ROOT
from serve_app.problems.catalogue import catalogue

DOCS = ROOT / "docs"
NAMESPACES_FILE = ROOT / "cluster" / "namespaces.yaml"
ROUTERS = "serve_app.routers"
YAML_SUFFIX = DURATION_SUFFIX
"""Durations lose it in YAML: `history_ttl_s` is written `history_ttl`."""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; bars in cells are escaped."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def load_errors() -> None:
    """Import whatever declares domain errors, so that the catalogue is whole."""
    importlib.import_module(ROUTERS)
    for module in pkgutil.walk_packages(db.__path__, "db."):
        if module.name.endswith(".errors"):
            importlib.import_module(module.name)


def render_codes() -> str:
    """Codes of the realtime protocol and of REST problems."""
    load_errors()
    lines = [
        "# Codes",
        "",
        "Generated from `actors/protocol/codes.py` and the error classes by `python -m serve_app.reference`.",
        "",
        "## Errors in replies of the realtime protocol",
        "",
        "SDKs try a *temporary* error again by themselves. Applications use 400 to 1999.",
        "",
        *_table(
            ("code", "text", "temporary", "meaning"),
            ((str(e.code), e.text, _yes(e.temporary), e.meaning) for e in codes.ERRORS.values()),
        ),
        "",
        "## Disconnects (WebSocket close codes)",
        "",
        "3000–3499 and 4000–4499: SDKs connect again; 3500–3999, 4500–4999: final. Applications use 4000–4999.",
        "",
        *_table(
            ("code", "reason", "SDK reconnects", "meaning"),
            ((str(d.code), d.reason, _yes(d.reconnect), d.meaning) for d in codes.DISCONNECTS.values()),
        ),
        "",
        "## Unsubscribes",
        "",
        "Below 2500 the subscription ends, from 2500 SDKs subscribe again. Applications: 2100–2499, 2600–2999.",
        "",
        *_table(
            ("code", "reason", "SDK resubscribes", "meaning"),
            ((str(u.code), u.reason, _yes(u.resubscribe), u.meaning) for u in codes.UNSUBSCRIBES.values()),
        ),
        "",
        "## REST problems (RFC 9457)",
        "",
        "`code` in the body of an `application/problem+json` answer. It is stable; the texts are for people.",
        "",
        *_table(
            ("code", "status", "meaning"),
            ((f"`{code}`", str(status), meaning) for code, (status, meaning) in sorted(catalogue().items())),
        ),
    ]
    return "\n".join(lines) + "\n"


def option_meanings(kind: type[msgspec.Struct] = Namespace) -> dict[str, str]:
    """Option → the string that stands below its declaration in the class."""
    statements = [
        statement
        for declared in ast.parse(inspect.getsource(kind)).body
        if isinstance(declared, ast.ClassDef)
        for statement in declared.body
    ]
    meanings: dict[str, str] = {}
    for node, following in pairwise(statements):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            meanings[node.target.id] = " ".join(str(following.value.value).split())
    return meanings


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return ""
    if isinstance(value, msgspec.Struct):
        written = (
            f"{field.name.removesuffix(YAML_SUFFIX)}: {_shown(getattr(value, field.name))}"
            for field in msgspec.structs.fields(type(value))
            if field.required or getattr(value, field.name) != field.default
        )
        return "{" + ", ".join(written) + "}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _type_of(field: msgspec.structs.FieldInfo) -> str:
    """What may be written for an option, in words."""
    if field.name.endswith(YAML_SUFFIX):
        return "duration"
    kind = msgspec.inspect.type_info(field.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        kind = next(part for part in kind.types if not isinstance(part, msgspec.inspect.NoneType))
    match kind:
        case msgspec.inspect.BoolType():
            return "true, false"
        case msgspec.inspect.IntType():
            bounds = [f"from {kind.ge}"] if kind.ge is not None else []
            bounds += [f"to {kind.le}"] if kind.le is not None else []
            return " ".join(["number", *bounds])
        case msgspec.inspect.LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values if value)
        case msgspec.inspect.VarTupleType(item_type=msgspec.inspect.LiteralType() as item):
            return "list of " + ", ".join(f"`{value}`" for value in item.values)
        case msgspec.inspect.StrType():
            return "rate" if kind.pattern else "text"
        case msgspec.inspect.StructType():
            return "options"
        case _:
            raise TypeError(f"no words for the type of option '{field.name}': {kind}")


def _group_table(kind: type[msgspec.Struct]) -> list[str]:
    meanings = option_meanings(kind)
    return _table(
        ("option", "type", "default", "meaning"),
        (
            (
                f"`{field.name.removesuffix(YAML_SUFFIX)}`",
                _type_of(field),
                "required" if field.required else f"`{_shown(field.default)}`" if _shown(field.default) else "empty",
                meanings.get(field.name, ""),
            )
            for field in msgspec.structs.fields(kind)
        ),
    )


def render_namespaces() -> str:
    """Every option, and what the shipped file sets."""
    defaults = Namespace()
    fields = [field for field in msgspec.structs.fields(Namespace) if field.name != "name"]
    meanings = option_meanings()
    lines = [
        "# Namespaces",
        "",
        "Generated from `actors/protocol/namespace.py` and `cluster/namespaces.yaml` by",
        "`python -m serve_app.reference`.",
        "",
        "A channel is called `namespace:rest`; without a colon the namespace `default` applies. Its namespace says",
        "what it may do. A duration is a number of seconds, or a number with `s`, `m`, `h` or `d`; a rate is written",
        "`20/s`, `100/m`, `1000/h` or `5000/d`: that many at once, and then evenly.",
        "",
        "Beside `namespaces:` the file may hold `personal_channel_namespace:`, the namespace whose channel",
        "`<namespace>:#<user>` every connection of a user is subscribed to by the server, and `rate_limits:`. Running",
        "processes notice a changed file within seconds and take its rules without dropping a connection; a file with",
        "mistakes changes nothing (`./mobula doctor` shows them).",
        "",
        "`allow_<what>_for_client`: every signed-in connection may; `_for_subscriber`: those in the channel;",
        "`_for_anonymous`: connections without a user. `allow_<what>`: a client gets it when it asks; `force_<what>`:",
        "always. History needs both `history_size` (publications) and `history_ttl`.",
        "",
        "## Options",
        "",
        *_table(
            ("option", "type", "default", "meaning"),
            (
                (
                    f"`{option}`",
                    _type_of(field),
                    f"`{_shown(getattr(defaults, field.name))}`" if _shown(getattr(defaults, field.name)) else "empty",
                    meanings.get(field.name, ""),
                )
                for option, field in zip(option_names(), fields, strict=True)
            ),
        ),
        "",
    ]
    for group, kind in GROUPS.items():
        lines += [f"## Options of `{group}:`", "", *_group_table(kind), ""]
    lines += [
        "## Options of `rate_limits:`",
        "",
        "`connection:` holds each connection to these rates, `user:` all connections of a user to one process",
        "together. What a namespace says comes on top.",
        "",
        *_group_table(OperationRates),
        "",
    ]
    lines.append("## Shipped")
    declared = Namespaces.load(NAMESPACES_FILE)
    for name in declared.names:
        namespace = declared.get(name)
        changed = [
            f"`{field.name.removesuffix(YAML_SUFFIX)}: {_shown(getattr(namespace, field.name))}`"
            for field in fields
            if getattr(namespace, field.name) != getattr(defaults, field.name)
        ]
        lines += ["", f"### `{name}`", "", ", ".join(changed) or "nothing beyond the defaults"]
    return "\n".join(lines) + "\n"


def render_metrics() -> str:
    """Every metric that our processes count."""
    collected: list[Metric] = [*registry.REGISTRY.collect(), *registry.TABLES.collect()]
    metrics = sorted(collected, key=lambda metric: metric.name)
    lines = [
        "# Metrics",
        "",
        "Generated from `actors/metrics/registry.py` by `python -m serve_app.reference`.",
        "",
        "`/metrics` answers the sum over all processes in Prometheus text format: each process pushes a snapshot of",
        "its registry to one shard every two seconds. What waits in tables (jobs, the outbox) is read when it is asked",
        "for. With `METRICS_TOKEN` it wants that bearer token, without it only this machine is answered. Alerts and a",
        "dashboard: [monitoring.md](monitoring.md).",
        "",
        *_table(
            ("metric", "type", "labels", "meaning"),
            (
                (
                    f"`{metric.name}{'_total' if metric.type == 'counter' else ''}`",
                    metric.type,
                    ", ".join(f"`{label}`" for label in _labels(metric.name)),
                    metric.documentation,
                )
                for metric in metrics
            ),
        ),
    ]
    return "\n".join(lines) + "\n"


def _labels(name: str) -> tuple[str, ...]:
    """Label names; they are known to the collector, not to its samples, before anything was counted."""
    for value in vars(registry).values():
        if getattr(value, "_name", None) == name:
            return tuple(value._labelnames)
    return ()


def generated() -> dict[Path, str]:
    """File to content."""
    return {
        DOCS / "codes.md": render_codes(),
        DOCS / "namespaces.md": render_namespaces(),
        DOCS / "metrics.md": render_metrics(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or compare them. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m serve_app.reference")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is not up to date")
    options = parser.parse_args(arguments)
    stale = []
    for path, content in generated().items():
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        stale.append(path)
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    for path in stale:
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        sys.stderr.write(f"{name} {'is stale: run ./mobula fix' if options.check else 'written'}\n")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
