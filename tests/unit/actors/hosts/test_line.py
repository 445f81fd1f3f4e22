"""A line tells of a death, and of nothing else."""

import asyncio
import os
import signal
import socket
import subprocess
import sys

import pytest

from actors.hosts.line import Line, Watch
from tests.fixtures.waiting import eventually

OTHER = """
import asyncio, sys
from actors.hosts.line import Line
async def main():
    line = Line(sys.argv[1])
    await line.open("127.0.0.1")
    print(line.address, flush=True)
    await asyncio.get_running_loop().create_future()
asyncio.run(main())
"""


@pytest.fixture
def process():
    child = subprocess.Popen([sys.executable, "-c", OTHER, "one"], stdout=subprocess.PIPE, text=True)
    child.address = child.stdout.readline().strip()
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


@pytest.fixture
async def told():
    return []


@pytest.fixture
async def watch(told):
    watches = []

    def begin(address):
        watches.append(Watch(address, lambda: told.append(address)))
        return watches[-1]

    yield begin
    for each in watches:
        each.close()


async def test_a_process_that_is_killed_is_dead_and_one_that_is_stopped_is_not(process, watch, told):
    line = watch(process.address)
    await eventually(lambda: line.is_up)
    os.kill(process.pid, signal.SIGSTOP)
    another = watch(process.address)
    await eventually(lambda: another.attempts >= 2)
    assert line.is_up
    assert told == []
    process.kill()
    await eventually(lambda: told == [process.address])


async def test_a_line_that_was_lost_and_is_up_again_tells_nothing(watch, told):
    line = Line("one")
    await line.open("127.0.0.1")
    watching = watch(line.address)
    await eventually(lambda: watching.is_up)
    line.hang_up()
    await eventually(lambda: not watching.is_up)
    await eventually(lambda: watching.is_up)
    assert told == []
    await line.close()
    await eventually(lambda: told == [line.address])


async def test_a_line_that_was_never_up_proves_nothing(watch, told):
    """A firewall refuses connections too."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        watching = watch(f"127.0.0.1:{taken.getsockname()[1]}/one")
        await eventually(lambda: watching.attempts >= 3)
    assert told == []


async def test_somebody_else_behind_the_same_port_means_that_the_first_one_is_gone(watch, told):
    line = Line("one")
    await line.open("127.0.0.1")
    watching = watch(line.address)
    await eventually(lambda: watching.is_up)
    port = int(line.address.partition("/")[0].rpartition(":")[2])
    await line.close()

    async def answer(reader, writer):
        writer.write(b"two\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    await eventually(lambda: told == [line.address])
    server.close()


async def test_a_port_that_answers_nothing_proves_nothing(watch, told):
    async def hang_up(reader, writer):
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    watching = watch(f"127.0.0.1:{server.sockets[0].getsockname()[1]}/one")
    await eventually(lambda: watching.attempts >= 3)
    assert told == []
    server.close()
