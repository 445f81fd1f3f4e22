"""`./mobula bench NAME`: the benchmarks by name. `python -m loadtests.bench fanout` does the same."""

import argparse
import resource
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import uvloop

from loadtests import (
    bench_connections,
    bench_exports,
    bench_fanout,
    bench_idle,
    bench_jobs,
    bench_latency,
    bench_publish,
    bench_rest,
    bench_slow_consumer,
    bench_storm,
)
from loadtests.bench_exports import ExportFailed
from loadtests.bench_fanout import Load
from loadtests.bench_rest import RequestsRefused
from loadtests.bench_storm import NotBack
from loadtests.client import ConnectionFailed
from loadtests.report import Report
from loadtests.stack import Stack, StackNotReady

FILES_WANTED = 65_536


async def _idle(stack: Stack, options: argparse.Namespace) -> Report:
    return await bench_idle.run(stack)


async def _fanout(stack: Stack, options: argparse.Namespace) -> Report:
    return await bench_fanout.run(stack, Load(options.sockets or 1000, options.seconds or 10.0))


async def _rest(stack: Stack, options: argparse.Namespace) -> Report:
    return await bench_rest.run(stack, options.seconds or 8.0)


async def _latency(stack: Stack, options: argparse.Namespace) -> Report:
    return await bench_latency.run(stack)


async def _publish(stack: Stack, options: argparse.Namespace) -> Report:
    return await bench_publish.run(stack, options.seconds or 6.0)


async def _exports(stack: Stack, options: argparse.Namespace) -> Report:
    return await bench_exports.run(stack, options.rows or 2_000_000)


async def _jobs(stack: Stack, options: argparse.Namespace) -> Report:
    return await bench_jobs.run(stack, options.seconds or 9.0)


async def _connections(stack: Stack, options: argparse.Namespace) -> Report:
    return await bench_connections.run(stack, options.sockets or 2000)


async def _storm(stack: Stack, options: argparse.Namespace) -> Report:
    return await bench_storm.run(stack, options.sockets or 2000)


async def _slow_consumer(stack: Stack, options: argparse.Namespace) -> Report:
    load = Load(options.sockets or 500, options.seconds or 30.0, payload=bench_slow_consumer.PAYLOAD)
    return await bench_slow_consumer.run(stack, load)


BENCHES: dict[str, tuple[str, Callable[[Stack, argparse.Namespace], Coroutine[Any, Any, Report]]]] = {
    "idle": ("resident memory of everything while nobody uses it", _idle),  # first: what others leave would count
    "fanout": ("one channel, 1,000 sockets: deliveries per second and CPU of each", _fanout),
    "rest": ("CPU per request of a trivial route and of the cached product list", _rest),
    "latency": ("publish to receive on an idle stack, memory and durable", _latency),
    "publish": ("acknowledged publications per second at the broker's API, memory and durable", _publish),
    "exports": ("rows per second of exports, memory, and rows missing while they change", _exports),
    "jobs": ("durable no-op jobs per second, and how soon one starts; keys, limits, a busy tenant", _jobs),
    "connections": ("what opening a connection costs, and an idle one occupies", _connections),
    "slow-consumer": ("one of 500 does not read: what the others notice", _slow_consumer),
    "storm": ("2,000 sockets lost at once: until everybody is back with what was missed", _storm),
}


def raise_file_limit() -> None:
    """A thousand sockets need more than the usual soft limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark, or all; print it and write its JSON. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="mobula bench",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:<13} {about}" for name, (about, _) in BENCHES.items()),
    )
    parser.add_argument("name", choices=[*BENCHES, "all"])
    parser.add_argument("--url", default="", help="where the stack answers (default: MOBULA_URL or port 8000)")
    parser.add_argument("--sockets", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--rows", type=int, default=0, help="of exports")
    options = parser.parse_args(arguments)
    raise_file_limit()
    stack = Stack(options.url)
    status = 0
    for name in BENCHES if options.name == "all" else [options.name]:
        try:
            report = uvloop.run(BENCHES[name][1](stack, options))
        except (StackNotReady, RequestsRefused, ConnectionFailed, NotBack, ExportFailed) as error:
            print(f"bench {name}: {error}", file=sys.stderr)
            status = 1
            continue
        print(report.text())
        print(f"  written to {report.write()}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
