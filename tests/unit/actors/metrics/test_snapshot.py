"""Adding up what processes counted."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from actors.metrics.snapshot import add, cumulative, render, take


class Process:
    """A process with a registry of its own."""

    def __init__(self, rate: float = 0) -> None:
        self.registry = CollectorRegistry()
        self.count = Counter("things", "Things.", ("kind",), registry=self.registry)
        self.open = Gauge("active_connections", "Open.", registry=self.registry)
        self.seen = Gauge("haproxy_processes", "Seen.", registry=self.registry)
        self.rate = Gauge("cache_hit_rate", "Rate.", registry=self.registry)
        self.took = Histogram("took_seconds", "Took.", registry=self.registry, buckets=(1, 10))
        self.rate.set(rate)


def values(text: str) -> dict[str, float]:
    return {
        f"{sample.name}{sample.labels or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_every_process_of_a_node_sees_is_not_added_up():
    one, two = Process(), Process()
    one.seen.set(3)
    two.seen.set(2)
    assert values(render(add((take(one.registry), take(two.registry)))))["haproxy_processes"] == 3


def test_counts_and_connections_add_up_and_rates_average():
    one, two = Process(rate=50), Process(rate=100)
    one.count.labels("a").inc(2)
    two.count.labels("a").inc(3)
    two.count.labels("b").inc()
    one.open.set(4)
    two.open.set(5)
    one.took.observe(0.5)
    two.took.observe(5)
    found = values(render(add((take(one.registry), take(two.registry)))))
    assert found["things_total{'kind': 'a'}"] == 5
    assert found["things_total{'kind': 'b'}"] == 1
    assert found["active_connections"] == 9
    assert found["cache_hit_rate"] == 75
    assert found["took_seconds_bucket{'le': '1.0'}"] == 1
    assert found["took_seconds_bucket{'le': '+Inf'}"] == 2
    assert found["took_seconds_sum"] == 5.5


def test_one_process_reads_as_the_library_writes_it():
    process = Process()
    process.count.labels('quo"te\\slash\nline').inc()
    ours, theirs = values(render(take(process.registry))), values(generate_latest(process.registry).decode())
    assert ours == {name: value for name, value in theirs.items() if "_created" not in name}


def test_the_dead_leave_what_they_counted():
    process = Process()
    process.count.labels("a").inc()
    process.open.set(9)
    left = values(render(cumulative(take(process.registry))))
    assert left["things_total{'kind': 'a'}"] == 1
    assert "active_connections" not in left


def test_nothing_is_nothing():
    assert add(()) == ()
    assert render(()).strip() == ""


@pytest.mark.parametrize("number", [1e20, 0.1, float("inf")])
def test_numbers_survive(number: float):
    process = Process()
    process.open.set(number)
    assert values(render(take(process.registry)))["active_connections"] == number
