"""A shard host of which neither process runs: what waits for it is bounded, and everybody is answered."""

import contextlib
import itertools
import json
import os
import signal
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psutil
from websockets.asyncio.client import connect

from loadtests.processes import find_titled
from tests.fixtures.people import Person
from tests.fixtures.shards import host_report, standby_report
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

PUBLICATIONS = 200
PAYLOAD = "x" * 60_000
"""12 MB in all; 8 MiB may wait."""


async def test_publications_that_cannot_be_sent_are_refused_and_not_kept(stack: RunningStack) -> None:
    stack.connect_ray()
    await standby_report()
    person = await Person.register(stack.http_url)
    channel = f"room:{uuid4()}"
    async with connect(stack.ws_url, proxy=None, ping_interval=None, max_size=None) as socket:
        numbers = itertools.count(1)

        async def send(command: str, **body: Any) -> int:
            number = next(numbers)
            await socket.send(json.dumps({"id": number, command: body}))
            return number

        async def answers(wanted: set[int]) -> dict[int, Any]:
            found: dict[int, Any] = {}
            while wanted - set(found):
                for line in (await socket.recv()).splitlines():
                    message = json.loads(line)
                    if not message:
                        await socket.send("{}")
                    elif message.get("id") in wanted:
                        found[message["id"]] = message
            return found

        await answers({await send("connect", token=await person.connection_token())})
        await answers({await send("subscribe", channel=channel)})
        with stopped_hosts(stack):
            sent = {await send("publish", channel=channel, data=PAYLOAD) for _ in range(PUBLICATIONS)}
            codes = [answer.get("error", {}).get("code") for answer in (await answers(sent)).values()]
        print({code: codes.count(code) for code in set(codes)})
        assert set(codes) == {100, 111}, "too many at once, and not acknowledged in time"

        async def published() -> bool:
            number = await send("publish", channel=channel, data="again")
            return "publish" in (await answers({number}))[number]

        await eventually(published, 60.0)
    await person.close()
    await host_report()
    await standby_report()


@contextlib.contextmanager
def stopped_hosts(stack: RunningStack) -> Iterator[list[psutil.Process]]:
    """SIGSTOP both processes of the shard host for the length of the block."""
    processes = find_titled("ShardHost", stack.paths.home)
    assert len(processes) == 2
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield processes
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
