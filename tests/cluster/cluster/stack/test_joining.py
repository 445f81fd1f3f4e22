"""A second node joins the stack, takes its part, and is lost with everything on it: what DESIGN §6 promises then.

Both are on this machine: the processes, their kernel's word of their death and Ray's are as on two, the network is not.
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import asyncpg
import psutil
import pytest

from actors.hosts.actor import HostReport
from db.exports import service
from db.exports.models import Export
from db.jobs.service import JobView, get_job
from db.session import Database
from serve_app.security.tokens import TokenIssuer
from tests.fixtures.chaos import chaos
from tests.fixtures.exports import exporter
from tests.fixtures.faults import replicas
from tests.fixtures.listeners import Listener
from tests.fixtures.nodes import LIMIT_S, JoinedNode, answers, back_on_one_node, joined
from tests.fixtures.sdk import SDKS, Sdk
from tests.fixtures.shards import host_report, kill_host, standby_report
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

SILENCE_LIMIT_S = 5.0
"""DESIGN §6: publishing resumes within this."""

RESCUE_LIMIT_S = 40.0
"""The queue owner is lost with the node: its successor waits for a full lease (8 s) of contact before it rescues
anybody. The printed figure is what counts."""

ORDERS = 100_000
"""Enough for an export to be stopped in the middle."""

PEOPLE = 4
DISCONNECTED = """
SELECT payload ->> 'client' AS client, count(*) AS times FROM app.events
WHERE event_type = 'session.disconnected' AND payload ->> 'client' = ANY ($1) GROUP BY 1
"""
BEHIND = """
SELECT EXISTS (SELECT 1 FROM app.session_events e, app.session_event_handlers h WHERE e.position > h.position)
"""


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[Database]:
    opened = Database(stack.database_url, pool_size=2, max_overflow=2, application_name="mobula-test")
    yield opened
    await opened.dispose()


@pytest.fixture
async def user_id(stack: RunningStack, database: Database) -> AsyncIterator[UUID]:
    async with exporter(database, stack.database_url, ORDERS) as somebody:
        yield somebody


async def test_a_node_joins_takes_its_part_and_is_lost_with_everything_on_it(
    stack: RunningStack, database: Database, user_id: UUID
) -> None:
    async with AsyncExitStack() as leaving, joined(stack) as node:
        active, standby = await eventually(lambda: apart(), LIMIT_S)
        assert (active.node == node.node_id, standby.node == node.node_id) == (False, True)
        options = [json.loads((paths.haproxy / "options.json").read_text()) for paths in (stack.paths, node.paths)]
        assert options[0]["proxy_token"] == options[1]["proxy_token"] != "", "replicas believe both HAProxys"
        assert "2 nodes can open" in (node.paths.home / "node.log").read_text(), "its database connections"
        await asyncio.to_thread(stack.redeploy, "realtime")
        port = await eventually(lambda: realtime_port(stack, node), LIMIT_S)
        await eventually(lambda: answers(node.http_port), LIMIT_S)

        # The active shard host moves there too: with the node go shards, queue owner, sockets, jobs and an HAProxy.
        await kill_host()
        active, _ = await eventually(lambda: apart(), LIMIT_S)
        assert active.node == node.node_id

        people = await People.arrive(stack, port)
        leaving.push_async_callback(close, people.sdks)
        jobs = await Jobs.freeze(stack, node, database, user_id)
        sdks = [await connect(stack, stack.ws_url, f"sdk-{number}") for number in range(4)]
        leaving.push_async_callback(close, sdks)
        async with chaos(stack, clients=6) as run:
            ledger = next(channel for channel in run.channels if channel.startswith("ledger:"))
            for sdk in sdks:
                await sdk.subscribe(ledger, recoverable=True, positioned=True)
            assert await jobs.are_running()
            node.kill()
            lost_at = time.monotonic()
            reason = await jobs.rescued()
            print(f"rescued {time.monotonic() - lost_at:.1f} s after the node was lost: {reason}")
            await run.flows()
            await run.settle()
            print(run.verify())
            for channel in run.channels:
                assert run.longest_silence(channel) < SILENCE_LIMIT_S
            last = run.clients[0].told[ledger].offset
            for sdk in sdks:
                await eventually(lambda sdk=sdk: last in sdk.seen.offsets(ledger), LIMIT_S)
                offsets = sdk.seen.offsets(ledger)
                assert offsets == list(range(offsets[0], last + 1)), "something is missing, or came twice"
        await people.have_left_once()
        await jobs.finish()
        await back_on_one_node(stack)


async def close(sdks: list[Sdk]) -> None:
    for sdk in sdks:
        await sdk.close()


async def apart() -> tuple[HostReport, HostReport] | None:
    """Both processes of the shard host, once they are on two nodes."""
    active, standby = await asyncio.gather(host_report(), standby_report())
    return (active, standby) if active.node != standby.node else None


def realtime_port(stack: RunningStack, node: JoinedNode) -> int | None:
    """Where the node's realtime replica listens, past HAProxy."""
    mine = {process.pid for process in node.titled("ServeReplica:realtime")}
    return next((port for port, process in replicas(stack, "realtime").items() if process.pid in mine), None)


async def connect(stack: RunningStack, url: str, user: str) -> Sdk:
    """A person with the official SDK."""

    async def token() -> str:
        return TokenIssuer.from_settings(stack.settings).connection(
            subject=user, session_id=f"session-of-{user}", info={"name": user}, expire_at=None
        )

    sdk = SDKS["python"]()
    await sdk.connect(url, token)
    return sdk


class People:
    """Sessions on the node whose leaves are reliable, and a watcher elsewhere."""

    def __init__(self, stack: RunningStack, channel: str, names: list[str], sdks: list[Sdk]) -> None:
        self.sdks = sdks
        self._stack, self._channel, self._names = stack, channel, names
        self._clients: list[str] = []

    @classmethod
    async def arrive(cls, stack: RunningStack, port: int) -> "People":
        channel = f"desk:{secrets.token_hex(6)}"
        names = [f"person-{number}-{secrets.token_hex(3)}" for number in range(PEOPLE)]
        sdks = [await connect(stack, stack.ws_url, "watcher")]
        sdks += [await connect(stack, f"ws://127.0.0.1:{port}/connection/websocket", name) for name in names]
        for sdk in sdks:
            await sdk.subscribe(channel)
        people = cls(stack, channel, names, sdks)
        connection = await asyncpg.connect(stack.database_url)
        try:

            async def all_there() -> Any:
                rows = await connection.fetch(
                    "SELECT client FROM app.session_roster WHERE channel = $1 AND user_id = ANY ($2)", channel, names
                )
                return [row["client"] for row in rows] if len(rows) == PEOPLE else None

            people._clients = await eventually(all_there, LIMIT_S)
        finally:
            await connection.close()
        return people

    async def have_left_once(self) -> None:
        connection = await asyncpg.connect(self._stack.database_url)
        try:

            async def delivered() -> Any:
                rows = await connection.fetch(DISCONNECTED, self._clients)
                return rows if len(rows) == PEOPLE and not await connection.fetchval(BEHIND) else None

            rows = await eventually(delivered, LIMIT_S)
            assert [row["times"] for row in rows] == [1] * PEOPLE
            watcher = self.sdks[0]
            await eventually(lambda: set(self._names) <= set(watcher.seen.leaves.get(self._channel, [])), LIMIT_S)
            told = [user for user in watcher.seen.leaves[self._channel] if user in self._names]
            assert sorted(told) == sorted(self._names), "a leave was told twice"
        finally:
            await connection.close()


class Jobs:
    """Two long jobs, one on each node, stopped in the middle."""

    def __init__(self, database: Database, there: Export, here: Export, worker: psutil.Process) -> None:
        self._database, self._there, self._here, self._worker = database, there, here, worker

    @classmethod
    async def freeze(cls, stack: RunningStack, node: JoinedNode, database: Database, user_id: UUID) -> "Jobs":
        homes = {str(stack.paths.home): False, str(node.paths.home): True}
        workers: dict[bool, psutil.Process] = {}
        exports = []
        for _ in range(2):
            async with database.transaction() as session:
                export = await service.request_export(session, user_id=user_id, dataset="orders", format="parquet")
            exports.append(export)

            def one_more(export: Export = export) -> bool:
                before = len(workers)
                for process in psutil.process_iter(["cmdline"]):
                    if (process.info["cmdline"] or [""])[0].startswith("ray::job:exports.run"):
                        home = process.environ().get("MOBULA_HOME", "")
                        if home in homes and homes[home] not in workers:
                            process.suspend()
                            workers[homes[home]] = process
                return len(workers) > before

            await eventually(one_more, LIMIT_S, every_s=0.01)
        assert set(workers) == {False, True}
        by_node = {(await job_of(database, export)).node: export for export in exports}
        there = by_node.pop(node.node_id)
        (here,) = by_node.values()
        return cls(database, there, here, workers[False])

    async def are_running(self) -> bool:
        """Both, in their first attempt."""
        both = [await job_of(self._database, export) for export in (self._there, self._here)]
        return all(job.state == "running" and job.attempt == 1 for job in both)

    async def rescued(self) -> str:
        """Wait until the lost node's job is given back; why it was."""

        async def given_back() -> JobView | None:
            job = await job_of(self._database, self._there)
            return job if job.errors else None

        return str((await eventually(given_back, RESCUE_LIMIT_S)).errors[-1]["error"])

    async def finish(self) -> None:
        """The one elsewhere was not run twice, and both succeed."""
        self._worker.resume()
        for export, runs in ((self._here, 1), (self._there, 2)):

            async def succeeded(export: Export = export) -> JobView | None:
                job = await job_of(self._database, export)
                return job if job.state == "succeeded" else None

            job = await eventually(succeeded, LIMIT_S)
            # A run that ended with its agent is told, and not counted as an attempt. What was stopped while it
            # connected to the database found that this took too long, and began again: that is no rescue.
            rescues = [error for error in job.errors if "rescued" in error["error"]]
            assert (len(rescues), job.attempt) == (runs - 1, 1), job.errors


async def job_of(database: Database, export: Export) -> JobView:
    assert export.job_id is not None
    async with database.transaction(read_only=True) as session:
        return await get_job(session, export.job_id)


async def test_a_node_that_leaves_sends_its_sockets_elsewhere_first(stack: RunningStack) -> None:
    """SIGTERM: the hubs there close with 3001 over the drain window, replacements run on the other node by then."""
    async with AsyncExitStack() as leaving, joined(stack) as node:
        await eventually(lambda: "2 nodes can open" in node.said(), LIMIT_S)
        await asyncio.to_thread(stack.redeploy, "realtime")
        port = await eventually(lambda: realtime_port(stack, node), LIMIT_S)
        url = f"ws://127.0.0.1:{port}/connection/websocket"
        listeners = [await Listener.open(stack, f"guest-{number}", "room:leaving", url) for number in range(10)]
        for listener in listeners:
            leaving.push_async_callback(listener.leave)
        began = time.monotonic()
        node.command.terminate()
        ends: list[float] = []
        for listener in listeners:
            listener.task.add_done_callback(lambda _: ends.append(time.monotonic() - began))
        await eventually(lambda: len(ends) == len(listeners), LIMIT_S)
        await eventually(lambda: node.command.poll() is not None, LIMIT_S)
        assert [listener.socket.close_code for listener in listeners] == [3001] * len(listeners)
        assert max(ends) - min(ends) > stack.settings.drain_seconds / 3, "all at once"
        assert node.command.returncode == 0
        assert "not drained" not in node.said()
    await back_on_one_node(stack)
