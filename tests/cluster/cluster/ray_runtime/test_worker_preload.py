"""The processes of a running stack."""

from pathlib import Path

import psutil

from cluster.ray_runtime import processes
from tests.fixtures.stack import RunningStack

TASK_WORKERS = ("ray::IDLE", "ray::job:")


async def test_no_actor_has_loaded_arrow(stack: RunningStack) -> None:
    titled = [psutil.Process(one.pid) for one in processes.find(stack.paths)]
    actors = {process.pid: process.cmdline()[0].split()[0] for process in titled if process.cmdline()}
    # What runs tasks, or waits for some, keeps Arrow.
    actors = {
        pid: title for pid, title in actors.items() if title.startswith("ray::") and not title.startswith(TASK_WORKERS)
    }
    assert {"ray::ShardHostProcess", "ray::ServeReplica:api:api"} <= {title.split(".")[0] for title in actors.values()}
    assert [title for pid, title in actors.items() if "libarrow" in Path(f"/proc/{pid}/maps").read_text()] == []
