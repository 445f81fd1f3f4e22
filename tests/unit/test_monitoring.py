"""Alerts and the dashboard ask for what `/metrics` answers, and every alert says what to do."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from actors.metrics import registry
from cluster.settings import ROOT

FOLDER = ROOT / "cluster" / "monitoring"
GUIDE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
ALERTS = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [
    *((rule["alert"], rule["expr"]) for rule in ALERTS),
    *((panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]),
]
CHILDREN = ("lhs", "rhs", "expr", "param", "vector_selector")


def answered() -> dict[str, frozenset[str]]:
    """Every series of `/metrics`, and of a scrape itself, with its labels."""
    series = {"up": frozenset({"job", "instance"})}
    for metric in vars(registry).values():
        name, kind = getattr(metric, "_name", ""), getattr(metric, "_type", "")
        if not name:
            continue
        labels = frozenset(metric._labelnames)
        if kind == "counter":
            series[f"{name}_total"] = labels
        elif kind == "histogram":
            series |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            series[name] = labels
    return series


SERIES = answered()


def parse(query: str) -> Any:
    return promql_parser.parse(query.replace("$__rate_interval", "1m"))


def nodes(expression: Any) -> Iterator[Any]:
    """An expression and all that it is made of."""
    yield expression
    for child in [*(getattr(expression, name, None) for name in CHILDREN), *(getattr(expression, "args", None) or ())]:
        if child is not None:
            yield from nodes(child)


def selectors(expression: Any) -> Iterator[Any]:
    """Every selector of series in it."""
    return (node for node in nodes(expression) if isinstance(node, promql_parser.VectorSelector))


def labels_of(expression: Any) -> Iterator[str]:
    """Labels that it groups by."""
    for node in nodes(expression):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            yield from node.modifier.labels


@pytest.mark.parametrize(("name", "query"), QUERIES, ids=[name for name, _ in QUERIES])
def test_what_is_asked_for_is_answered(name: str, query: str) -> None:
    expression = parse(query)
    found = list(selectors(expression))
    assert found
    for selector in found:
        assert selector.name in SERIES, f"{name} asks for {selector.name}"
        asked = {matcher.name for matcher in selector.matchers.matchers}
        assert asked <= SERIES[selector.name], f"{name}: {selector.name} has no {asked - SERIES[selector.name]}"
    known = frozenset[str]().union(*(SERIES[selector.name] for selector in found))
    assert set(labels_of(expression)) <= known, name


def test_every_metric_is_on_the_dashboard_or_behind_an_alert() -> None:
    asked = {selector.name for _, query in QUERIES for selector in selectors(parse(query))}
    shown = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in asked}
    metrics = {metric.name for each in (registry.REGISTRY, registry.TABLES) for metric in each.collect()}
    assert metrics - shown == NOT_SHOWN


NOT_SHOWN = {
    "active_connections",  # the sum of realtime_connections
    "broker_channels",
    "cache_hit_rate",  # cache_reads says when, too
    "http_requests_in_flight",
    "outbox_publications",  # how many wait matters less than for how long
    "shared_poll_duration_seconds",
    "shared_poll_keys",
    "shared_poll_values",
}


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    chapters = re.findall(r"^### (\w+)$", GUIDE, re.MULTILINE)
    assert [rule["alert"] for rule in ALERTS] == list(dict.fromkeys(rule["alert"] for rule in ALERTS))
    assert sorted(chapters) == sorted(rule["alert"] for rule in ALERTS)
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["runbook"] == f"docs/monitoring.md#{rule['alert'].lower()}"
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[mh]", rule["for"])


def test_labels_that_summaries_name_are_left_by_their_expression() -> None:
    for rule in ALERTS:
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        (first, *_) = selectors(parse(rule["expr"]))
        kept = set(labels_of(parse(rule["expr"]))) or SERIES[first.name]
        assert named <= kept, rule["alert"]


def test_panels_have_a_place_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_prometheus_loads_the_alerts_and_scrapes_the_job_that_they_name() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text(encoding="utf-8"))
    assert [(FOLDER / name).is_file() for name in config["rule_files"]] == [True]
    assert [job["job_name"] for job in config["scrape_configs"]] == ["mobula"]
