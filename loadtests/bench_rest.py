"""CPU per request: the trivial route and the cached product list, beside plain FastAPI on uvicorn in the same run.

Requests come from a few keep-alive connections with one request in flight each. What counts is the CPU of the serving
processes per answer; requests per second follow from it and from what HAProxy takes of the same two cores.
"""

import os
from dataclasses import dataclass

import psutil

from loadtests import http_load
from loadtests.http_load import HttpTally
from loadtests.processes import CpuMeter, checkout_home, peer
from loadtests.report import Report, percentile
from loadtests.stack import Stack, StackNotReady

CONNECTIONS = 16
WARM_UP_S = 2.0
LIVE = "/health/live"
PRODUCTS = "/api/v1/products?limit=20"


class RequestsRefused(Exception):
    """Answers that are no success would make the figure a lie."""


@dataclass(frozen=True)
class Outcome:
    """One route of one server."""

    tally: HttpTally
    seconds: float
    cpu_s: float

    @property
    def cpu_us(self) -> float:
        """Server CPU per request, in microseconds."""
        return self.cpu_s / self.tally.requests * 1e6

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.tally.requests / self.seconds


async def measure(
    base: str, path: str, servers: list[psutil.Process], seconds: float, headers: dict[str, str] | None = None
) -> Outcome:
    """Warm the route up, then load it. Raises RequestsRefused when not every answer is a success."""
    await http_load.run(base + path, connections=2, duration_s=WARM_UP_S, headers=headers)
    meter = CpuMeter(servers).start()
    tally, elapsed = await http_load.run(base + path, connections=CONNECTIONS, duration_s=seconds, headers=headers)
    cpu = meter.stop()
    if tally.failures:
        hint = " (set RATE_LIMIT_PER_MINUTE=0 for benchmarks)" if 429 in tally.statuses else ""
        raise RequestsRefused(f"{base}{path} answered {tally.statuses}{hint}")
    return Outcome(tally, elapsed, cpu)


def database_url() -> str:
    """The stack's database, for the peer that reads it on every request: the environment, or what `up` wrote."""
    url = os.environ.get("DATABASE_URL", "")
    state = checkout_home() / "state.env"
    if not url and state.exists():
        for line in state.read_text(encoding="utf-8").splitlines():
            if line.startswith("DATABASE_URL="):
                url = line.partition("=")[2].strip().strip("'\"")
    if not url:
        raise StackNotReady("no DATABASE_URL for the plain peer: run './mobula up -d' first")
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


def _describe(report: Report, name: str, outcome: Outcome) -> None:
    report.add(f"{name}: server CPU per request", outcome.cpu_us, "µs")
    report.add(f"{name}: requests", outcome.rate, "req/s")
    report.add(f"{name}: p50", percentile(outcome.tally.latencies_us, 0.5) / 1000, "ms")
    report.add(f"{name}: p99", percentile(outcome.tally.latencies_us, 0.99) / 1000, "ms")


async def run(stack: Stack, seconds: float = 8.0) -> Report:
    """Measure both routes on both servers, alternating."""
    await stack.check()
    report = Report("rest")
    servers = stack.replicas("api")
    account = await stack.account()
    environment = database_url()
    os.environ["PEER_DATABASE_URL"] = environment
    async with peer("loadtests.peers.rest") as (process, port):
        plain = f"http://127.0.0.1:{port}"
        live = await measure(stack.url, LIVE, servers, seconds)
        plain_live = await measure(plain, LIVE, [process], seconds)
        products = await measure(stack.url, PRODUCTS, servers, seconds)
        plain_products = await measure(plain, PRODUCTS, [process], seconds)
        signed_in = await measure(stack.url, PRODUCTS, servers, seconds, account.headers)
    _describe(report, "mobula /health/live", live)
    _describe(report, "plain FastAPI /health/live", plain_live)
    _describe(report, "mobula products (cached)", products)
    _describe(report, "plain FastAPI products", plain_products)
    report.add("mobula products, signed in: server CPU per request", signed_in.cpu_us, "µs")
    report.add("live: CPU against plain", live.cpu_us / plain_live.cpu_us, "x", "≤ 1.15")
    report.add("products: CPU saved against plain", plain_products.cpu_us / products.cpu_us, "x", "≥ 5")
    report.add("products: requests against plain", products.rate / plain_products.rate, "x")
    report.notes += [
        f"{CONNECTIONS} keep-alive connections; Mobula through HAProxy with its whole middleware chain, the peer "
        "without a proxy and without middleware; requests are anonymous on both sides unless said",
        "the plain product list reads Postgres on every request, as templates do; CPU of Postgres is not counted",
    ]
    return report
