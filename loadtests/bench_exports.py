"""Exports beside what they replace: one COPY to a CSV file, and ADBC with a Parquet writer, in the same run.

The stack's exports are asked for over REST and timed by their own rows, from the request until the manifest is written,
so claiming, the start of a process, counting, snapshot and checksums are in the figure; the peers only read and write.
Beside it stands the rate from the snapshot on, which is what a larger export comes near to. How many processes write
is the stack's setting (`EXPORT_PROCESSES`) and is read from the files' names.

For the last figures orders change in pairs, one up and one down by the same amount in one transaction: files of one
moment hold each order once and keep the sum. The peer beside it reads two halves of the table in two transactions of
their own, as tools without a shared snapshot do.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from cluster.services import libpq
from cluster.settings import Settings
from loadtests import joining
from loadtests.processes import find_titled
from loadtests.report import Report
from loadtests.stack import Account, Stack

ROUNDS = 3
FORMATS = ("csv", "parquet", "arrow", "ndjson")
UPDATES_PER_S = 1_000
PAIRS_PER_TICK = 5
CHANGERS = 4
"""Connections that change orders, each its own: a commit of one waits for the disk."""

LIMIT_S = 600.0
LOOK_S = 0.25
COLUMNS = (
    "id AS order_id, number AS order_number, user_id, status, currency, total_amount, "
    "item_count::bigint AS item_count, created_at, updated_at"
)
ROWS = """
INSERT INTO app.orders (user_id, status, total_amount, item_count, note)
SELECT $1, CASE WHEN g % 4 = 0 THEN 'paid' ELSE 'pending' END, (g % 1000) + 0.10, 1, 'n' || g
FROM generate_series(1, $2::int) g
"""
PAIR = """
UPDATE app.orders SET total_amount = total_amount + CASE number WHEN $1 THEN 0.01 ELSE -0.01 END
WHERE number IN ($1, $2)
"""


class ExportFailed(Exception):
    """An export did not succeed: there is nothing to measure."""


async def run(stack: Stack, rows: int = 2_000_000) -> Report:
    """Measure every format, both peers, memory, and an export while rows change."""
    await stack.check()
    settings = joining.read_settings()
    report = Report("exports")
    account = await stack.account()
    waits: list[float] = []
    async with (
        orders(settings.asyncpg_dsn, account.user_id, rows),
        httpx.AsyncClient(base_url=stack.url, headers=account.headers, timeout=30) as http,
    ):
        await export(http, "parquet")  # workers are warm
        ours: dict[str, list[float]] = {format: [] for format in FORMATS}
        writing: dict[str, list[float]] = {format: [] for format in FORMATS}
        peers: dict[str, list[float]] = {"csv": [], "parquet": []}
        made: dict[str, Any] = {}
        for _ in range(ROUNDS):
            for format in FORMATS:
                made = await export(http, format)
                ours[format].append(rows / took_s(made))
                writing[format].append(rows / took_s(made, since="started_at"))
                waits.append(took_s(made) - took_s(made, since="started_at"))
            for name, read in PEERS.items():
                peers[name].append(rows / await timed(read, settings, account))
        tell_rates(report, ours, writing, peers)
        report.add("from the request to its snapshot, p50", statistics.median(waits), "s", "≤ 1")
        report.add("from the request to its snapshot, longest", max(waits), "s")
        processes = len({file["name"].split("-")[-2] for file in made["files"]})
        report.add("peak memory of one process that writes", await peak_memory(http), "MiB", "≤ 300")
        await tell_change(report, http, settings, account, rows)
    report.notes.append(f"{rows:,} orders, {processes} processes, {len(made['files'])} files, medians of {ROUNDS}")
    return report


def tell_rates(
    report: Report, ours: dict[str, list[float]], writing: dict[str, list[float]], peers: dict[str, list[float]]
) -> None:
    """Rows per second, and ours as a multiple of the peer's."""
    names = {"csv": "COPY to a CSV file, one connection", "parquet": "ADBC to a Parquet file, one connection"}
    goals = {"csv": "≥ 0.95 by one process, ≥ 1.3 by two", "parquet": "≥ 1.3 by two"}
    for format, rates in ours.items():
        rate = statistics.median(rates)
        report.add(f"mobula, {format}", rate, "rows/s")
        alone = statistics.median(writing[format])
        report.add(f"mobula, {format}, from its snapshot on", alone, "rows/s")
        if format in peers:
            peer = statistics.median(peers[format])
            report.add(names[format], peer, "rows/s")
            report.add(f"{format}: ratio", rate / peer, "x", goals[format])
            report.add(f"{format}: ratio from its snapshot on", alone / peer, "x", goals[format])


@asynccontextmanager
async def orders(dsn: str, user_id: str, rows: int) -> AsyncIterator[None]:
    """So many orders of somebody, as they are after the first vacuum."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(ROWS, user_id, rows, timeout=LIMIT_S)
        await connection.execute("VACUUM (ANALYZE) app.orders", timeout=LIMIT_S)
        yield
    finally:
        await connection.execute("DELETE FROM app.orders WHERE user_id = $1", user_id, timeout=LIMIT_S)
        await connection.close()


async def export(http: httpx.AsyncClient, format: str) -> dict[str, Any]:
    """Ask for an export and wait for its end. Raises ExportFailed."""
    asked = await http.post("/api/v1/exports", json={"dataset": "orders", "format": format})
    if asked.status_code != 202:
        raise ExportFailed(f"the request answered {asked.status_code}: {asked.text}")
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        await asyncio.sleep(LOOK_S)
        made: dict[str, Any] = (await http.get(asked.headers["location"])).json()
        if made["state"] == "succeeded":
            return made
        if made["state"] not in ("queued", "running"):
            break
    raise ExportFailed(f"the export is {made['state']}: {made['error']}")


def took_s(made: dict[str, Any], *, since: str = "created_at") -> float:
    """Seconds from the request, or the snapshot, to the manifest."""
    begin, end = (datetime.fromisoformat(made[name]) for name in (since, "finished_at"))
    return (end - begin).total_seconds()


async def timed(read: Callable[[str, str, Path], Awaitable[None]], settings: Settings, account: Account) -> float:
    """Seconds that a peer takes for the same rows."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        await read(settings.asyncpg_dsn, account.user_id, Path(folder) / "peer")
        return time.perf_counter() - begun


async def copy_csv(dsn: str, user_id: str, path: Path) -> None:
    """What `psql \\copy` does: the server formats, the client writes."""
    connection = await asyncpg.connect(dsn)
    try:
        query = f"SELECT {COLUMNS} FROM app.orders WHERE user_id = '{user_id}'"
        await connection.copy_from_query(query, output=path, format="csv", header=True, timeout=LIMIT_S)
    finally:
        await connection.close()


async def adbc_parquet(dsn: str, user_id: str, path: Path) -> None:
    """ADBC's batches as they come, in the same compression as ours."""

    def write() -> None:
        import adbc_driver_postgresql.dbapi as adbc
        import pyarrow.parquet as pq

        with adbc.connect(libpq.uri(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT {COLUMNS} FROM app.orders WHERE user_id = '{user_id}'")
            with (
                cursor.fetch_record_batch() as batches,
                pq.ParquetWriter(path, batches.schema, compression="zstd", compression_level=3) as writer,
            ):
                for batch in batches:
                    writer.write_batch(batch)

    await asyncio.to_thread(write)


PEERS: dict[str, Callable[[str, str, Path], Awaitable[None]]] = {"csv": copy_csv, "parquet": adbc_parquet}


async def peak_memory(http: httpx.AsyncClient) -> float:
    """The most that a worker has had resident so far, in MiB, seen while it writes Parquet."""
    writing = asyncio.create_task(export(http, "parquet"))
    peak = 0.0
    while not writing.done():
        peak = max([peak, *map(high_water, find_titled("job:exports."))])
        await asyncio.wait({writing}, timeout=LOOK_S)
    await writing
    return peak


def high_water(process: psutil.Process) -> float:
    """The most that a process has had resident so far, in MiB; 0 when it is gone."""
    try:
        return high_water_mib(Path(f"/proc/{process.pid}/status").read_text())
    except OSError:
        return 0.0


def high_water_mib(status: str) -> float:
    """The line VmHWM of /proc/<pid>/status."""
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(lines.get("VmHWM", "0 kB").split()[0]) / 1024


async def tell_change(report: Report, http: httpx.AsyncClient, settings: Settings, account: Account, rows: int) -> None:
    """Rows missing, doubled and torn while they change: of an export, and of two transactions of their own."""
    dsn = settings.asyncpg_dsn
    connection = await asyncpg.connect(dsn)
    try:
        low, high, total = await connection.fetchrow(
            "SELECT min(number), max(number), sum(total_amount) FROM app.orders WHERE user_id = $1", account.user_id
        )
        async with changing(dsn, low, high) as changed:
            made = await export(http, "parquet")
            ours = await asyncio.to_thread(read_parquet, settings.exports_path / made["id"] / "data")
            halves = await read_halves(dsn, account.user_id)
    finally:
        await connection.close()
    for name, (numbers, sum_read), goal in (("mobula", ours, "0"), ("two transactions", halves, "")):
        missing, doubled = compare(numbers, rows)
        report.add(f"{name}: rows missing while they change", missing, "rows", goal)
        report.add(f"{name}: rows doubled while they change", doubled, "rows", goal)
        report.add(f"{name}: sum that does not change is off by", float(abs(sum_read - total)), "", goal)
    report.add("changes", changed.rate(), "updates/s")


def compare(numbers: list[int], rows: int) -> tuple[int, int]:
    """How many of so many rows are missing, and how many are there more than once."""
    once = len(set(numbers))
    return rows - once, len(numbers) - once


def read_parquet(folder: Path) -> tuple[list[int], Decimal]:
    """Order numbers and the sum of amounts."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(folder, columns=["order_number", "total_amount"])
    return table.column("order_number").to_pylist(), pc.sum(table.column("total_amount")).as_py() or Decimal(0)


async def read_halves(dsn: str, user_id: str) -> tuple[list[int], Decimal]:
    """Both halves of the table, one after the other, each in a transaction of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        blocks = await connection.fetchval("SELECT pg_relation_size('app.orders') / 8192")
        numbers: list[int] = []
        total = Decimal(0)
        for first, end in ((0, blocks // 2), (blocks // 2, 2**31)):
            rows = await connection.fetch(
                "SELECT number, total_amount FROM app.orders WHERE user_id = $1"
                f" AND ctid >= '({first},0)'::tid AND ctid < '({end},0)'::tid",
                user_id,
            )
            numbers += [row["number"] for row in rows]
            total += sum((row["total_amount"] for row in rows), Decimal(0))
        return numbers, total
    finally:
        await connection.close()


class Changes:
    """How many rows were changed, and for how long."""

    def __init__(self) -> None:
        self.rows = 0
        self._begun = time.perf_counter()

    def rate(self) -> float:
        """Rows changed per second."""
        return self.rows / (time.perf_counter() - self._begun)


@asynccontextmanager
async def changing(dsn: str, low: int, high: int) -> AsyncIterator[Changes]:
    """Orders change in pairs, `UPDATES_PER_S` of them, until the block ends."""
    changes = Changes()
    stop = asyncio.Event()
    share = max(1, (high - low + 1) // (2 * CHANGERS))

    async def change(number: int) -> None:
        connection = await asyncpg.connect(dsn)
        try:
            begun = time.perf_counter()
            done = at = 0
            while not stop.is_set():
                for _ in range(PAIRS_PER_TICK):
                    at = (at + 7_919) % share
                    await connection.execute(PAIR, low + number * share + at, high - number * share - at)
                    done += 2
                    changes.rows += 2
                ahead = done * CHANGERS / UPDATES_PER_S - (time.perf_counter() - begun)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), max(0.001, ahead))
        finally:
            await connection.close()

    tasks = [asyncio.create_task(change(number)) for number in range(CHANGERS)]
    try:
        yield changes
    finally:
        stop.set()
        await asyncio.gather(*tasks)
