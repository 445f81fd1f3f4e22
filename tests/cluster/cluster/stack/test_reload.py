"""What `./mobula dev` does when code has changed, on the running stack."""

import asyncio
from types import SimpleNamespace
from typing import Any

import psutil

from cluster.settings import ROOT
from cluster.stack.progress import Event, Progress
from cluster.stack.reload import LEFT_ALONE, ApiReloader
from loadtests.processes import find_titled
from tests.fixtures.faults import replicas
from tests.fixtures.listeners import Listener
from tests.fixtures.shards import host_report, standby_report
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

LIMIT_S = 90.0


def pids(stack: RunningStack, title: str) -> set[int]:
    return {process.pid for process in find_titled(title, stack.paths.home)}


async def test_agents_and_shard_hosts_run_the_new_code_and_sockets_stay(stack: RunningStack) -> None:
    stack.connect_ray()
    await asyncio.gather(host_report(), standby_report())
    listener = await Listener.open(stack, "developer", "room:dev")
    before = {title: pids(stack, title) for title in ("NodeAgent", "ShardHost", "Supervisor")}
    api, realtime = replicas(stack, "api"), replicas(stack, "realtime")
    events: list[Event] = []
    plan: Any = SimpleNamespace(paths=stack.paths, env=stack.env)
    reloader = ApiReloader(plan, Progress(events.append))

    await asyncio.to_thread(reloader._renew, [ROOT / "serve_app" / "app.py"])
    assert {title: pids(stack, title) for title in before} == before, "only api has changed"
    assert events[-1].text == f"redeployed; {LEFT_ALONE}"

    await asyncio.to_thread(reloader._renew, [ROOT / "actors" / "names.py", ROOT / "db" / "session.py"])
    assert "actors/names.py and 1 more changed" in events[-2].text
    assert "agents, shard hosts and job workers restarted" in events[-1].text, events
    await asyncio.gather(host_report(), standby_report())
    for title, were in before.items():
        assert were
        await eventually(lambda title=title, were=were: len(pids(stack, title)) == len(were), LIMIT_S)
        assert not pids(stack, title) & were, f"{title} runs the code from before"
    assert not {one.pid for one in api.values() if one.is_running()} & {
        one.pid for one in replicas(stack, "api").values()
    }
    assert {one.pid for one in replicas(stack, "realtime").values()} == {one.pid for one in realtime.values()}
    assert not listener.task.done(), "its socket is open"
    listener.task.cancel()
    await listener.socket.close()
    assert all(psutil.pid_exists(one.pid) for one in realtime.values())
