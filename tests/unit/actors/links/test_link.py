"""The two ends of a link over a transport that loses, repeats, delays and dies."""

import asyncio
import random

import msgspec
import pytest

from actors.links.frames import Batch, Submit
from actors.links.link import (
    BUFFER_AGE_S,
    BUFFER_BYTES,
    MUST_BYTES,
    POLL_DEADLINE_S,
    SUBMIT_DEADLINE_S,
    Link,
    LinkFull,
)
from actors.links.stream import StreamServer
from tests.fixtures.simulation import passes, simulate

encode = msgspec.msgpack.encode


class EchoShard:
    """Answers each operation `n` with the item `n` on the stream, like an acknowledging broker."""

    def __init__(self, incarnation: str) -> None:
        self.applied: list[int] = []
        self.server: StreamServer[int] = StreamServer(
            incarnation, Submit[int], apply=self._apply, encode_gap=lambda channel: encode(-1)
        )

    def _apply(self, stream, operations):
        for n in operations:
            self.applied.append(n)
            stream.push(encode(n))


class Network:
    """Calls the current shard. `fault(method)` may return: "" (fine), "lost request", "lost reply", "twice", "hang"."""

    def __init__(self) -> None:
        self.shard = EchoShard("inc-1")
        self.fault = lambda method: ""
        self.calls: list[str] = []
        self.stopped = asyncio.Event()
        self.stopped.set()
        self.strays: list[asyncio.Task] = []

    async def call(self, method: str, payload: bytes, timeout_s: float) -> bytes:
        self.calls.append(method)
        async with asyncio.timeout(timeout_s):
            await passes(0.001)
            fault = self.fault(method)
            if fault == "lost request":
                await passes(timeout_s + 1)
            if fault == "twice":
                self.strays.append(asyncio.create_task(getattr(self.shard.server, method)(payload)))
            await self.stopped.wait()
            answer = await getattr(self.shard.server, method)(payload)
            if fault == "lost reply":
                await passes(timeout_s + 1)
            if fault == "error":
                raise ConnectionError("actor unavailable")
            return answer

    def restart(self) -> None:
        self.shard.server.close()
        self.shard = EchoShard(f"inc-{int(self.shard.server.incarnation[4:]) + 1}")


class Process:
    def __init__(self, network: Network, boot: str = "hub") -> None:
        self.received: list[int] = []
        self.attached: list[list[int]] = []
        self.expired: list[int] = []
        self.unsendable: list[int] = []
        self.link: Link[int, int] = Link(
            boot,
            network.call,
            Batch[int],
            on_items=self.received.extend,
            on_attached=lambda unsent: self.attached.append(list(unsent)),
            on_expired=self.expired.extend,
            on_unsendable=self.unsendable.extend,
            jitter=lambda: 0.5,
        )

    async def start(self) -> "Process":
        await self.link.start()
        await self.link.wait_attached()
        return self


async def until(fact, limit_s=60.0):
    async with asyncio.timeout(limit_s):
        while not fact():
            await passes(0.005)


def test_operations_go_up_and_results_come_down_in_order():
    async def main():
        network = Network()
        process = await Process(network).start()
        for n in range(1000):
            process.link.send(n, 50)
        await until(lambda: len(process.received) == 1000)
        assert process.received == list(range(1000))
        assert network.calls.count("submit") <= 3, "what gathered meanwhile travels together"
        await process.link.stop()

    simulate(main())


@pytest.mark.parametrize("fault", ["lost request", "lost reply", "twice", "error"])
@pytest.mark.parametrize("method", ["submit", "poll"])
def test_a_faulty_call_neither_loses_nor_repeats_anything(fault, method):
    async def main():
        network = Network()
        process = await Process(network).start()
        faults = iter([fault, fault, ""])
        network.fault = lambda called: next(faults, "") if called == method else ""
        for n in range(20):
            process.link.send(n, 50, may_expire=False)
            await passes(0.01)
        await until(lambda: len(process.received) == 20)
        assert process.received == list(range(20))
        assert network.shard.applied == list(range(20))
        assert process.attached == [[]], "no reset was needed"
        await process.link.stop()

    simulate(main())


@pytest.mark.parametrize("seed", range(20))
def test_random_faults_and_restarts_keep_order_within_an_incarnation(seed):
    dice = random.Random(seed)

    async def main():
        network = Network()
        process = await Process(network).start()
        network.fault = lambda method: dice.choice(["", "", "", "lost reply", "lost request", "twice", "error"])
        shards = [network.shard]
        for n in range(200):
            process.link.send(n, 50, may_expire=False)
            await passes(dice.random() * 0.2)
            if dice.random() < 0.02:
                network.restart()
                shards.append(network.shard)
        network.fault = lambda method: ""
        await until(lambda: process.link.incarnation == shards[-1].server.incarnation)
        process.link.send(1000, 50, may_expire=False)
        await until(lambda: 1000 in process.received)
        for shard in shards:
            assert shard.applied == sorted(set(shard.applied)), "applied twice or out of order"
        applied = [n for shard in shards for n in shard.applied]
        assert len(applied) == len(set(applied)), "an operation reached two incarnations"
        assert process.received == sorted(set(process.received))
        await process.link.stop()

    simulate(main())


def test_a_restarted_shard_resets_the_link_and_names_what_was_never_sent():
    async def main():
        network = Network()
        process = await Process(network).start()
        network.fault = lambda method: "lost reply" if method == "submit" else ""
        process.link.send(1, 50)
        await passes(0.1)
        process.link.send(2, 50)
        network.restart()
        await until(lambda: len(process.attached) == 2)
        assert process.attached[1] == [2], "1 was sent: whether it happened is not known"
        assert network.shard.applied == []
        assert process.link.incarnation == "inc-2"
        await process.link.stop()

    simulate(main())


def test_a_stopped_process_makes_the_link_suspect_and_is_not_taken_for_dead():
    async def main():
        network = Network()
        process = await Process(network).start()
        network.stopped.clear()
        process.link.send(1, 50)
        await until(lambda: process.link.suspect)
        assert asyncio.get_running_loop().time() < 1000 + SUBMIT_DEADLINE_S + 0.1
        await passes(POLL_DEADLINE_S)
        network.stopped.set()
        await until(lambda: process.received == [1])
        assert network.shard.applied == [1]
        assert not process.link.suspect
        await process.link.stop()

    simulate(main())


def test_an_answer_of_an_abandoned_incarnation_is_not_believed():
    async def main():
        network = Network()
        process = await Process(network).start()
        zombie = network.shard
        network.restart()
        await until(lambda: process.link.incarnation == "inc-2")
        current = network.shard
        network.shard = zombie
        for stream in current.server.clients.values():
            stream.wake()
        await passes(5)
        assert process.link.incarnation != "inc-1"
        network.shard = current
        await until(lambda: process.link.incarnation == "inc-2")
        await process.link.stop()

    simulate(main())


def test_what_waits_too_long_is_named_and_dropped_but_not_what_must_arrive():
    async def main():
        network = Network()
        process = await Process(network).start()
        network.stopped.clear()
        process.link.send(1, 50)
        await passes(0.01)
        process.link.send(2, 50)
        process.link.send(3, 50, may_expire=False)
        await passes(BUFFER_AGE_S + 0.5)
        assert process.expired == [2]
        network.stopped.set()
        await until(lambda: process.received == [1, 3])
        await process.link.stop()

    simulate(main())


def test_a_full_buffer_refuses():
    async def main():
        process = Process(Network())
        process.link.send(1, BUFFER_BYTES - 10)
        with pytest.raises(LinkFull):
            process.link.send(2, 11)
        process.link.send(3, 11, may_expire=False)

    simulate(main())


MIB = 2**20


async def cut_off(network: Network, process: Process) -> None:
    """The shard answers nothing more, and the link has noticed."""
    network.stopped.clear()
    process.link.send(0, 50, may_expire=False)
    await until(lambda: process.link.suspect)


def test_what_must_arrive_at_a_shard_that_is_away_is_bounded_by_beginning_anew():
    async def main():
        network = Network()
        process = await Process(network).start()
        await cut_off(network, process)
        for n in range(1, 200):
            process.link.send(n, MIB, may_expire=False)
            assert process.link._waiting_bytes <= MUST_BYTES
        assert not process.link.attached
        network.stopped.set()
        await until(lambda: process.link.attached)
        assert len(process.attached) == 2
        process.link.send(1_000, MIB, may_expire=False)
        await until(lambda: process.received[-1:] == [1_000])
        assert network.shard.server.clients["hub"].session > 1
        await process.link.stop()

    simulate(main())


def test_a_shard_that_answers_is_sent_all_that_must_arrive_however_much():
    async def main():
        network = Network()
        process = await Process(network).start()
        sent = list(range(3 * MUST_BYTES // MIB))
        for n in sent:
            process.link.send(n, MIB, may_expire=False)
        await until(lambda: process.received == sent)
        assert len(process.attached) == 1
        await process.link.stop()

    simulate(main())


def test_a_stream_that_begins_with_more_than_the_bound_is_not_begun_again_for_that():
    async def main():
        network = Network()
        process = Process(network)
        holds = list(range(3 * MUST_BYTES // MIB))

        def tell_everything(unsent):
            process.attached.append(list(unsent))
            for n in holds:
                process.link.send(n, MIB, may_expire=False)

        process.link._on_attached = tell_everything
        await process.start()
        await cut_off(network, process)
        for n in range(1_000, 1_000 + MUST_BYTES // MIB):
            process.link.send(n, MIB, may_expire=False)
        assert process.link.attached
        assert len(process.attached) == 1
        await process.link.stop()

    simulate(main())


def test_beginning_anew_while_the_stream_is_delivered_leaves_one_reader():
    async def main():
        network = Network()
        process = await Process(network).start()

        def answer(items):
            process.received.extend(items)
            if items == [7]:
                process.link.suspect = True
                process.link.send(8, 3 * MUST_BYTES, may_expire=False)

        process.link._on_items = answer
        process.link.send(7, 50)
        await until(lambda: len(process.attached) == 2)
        process.link.send(9, 50)
        await until(lambda: process.received[-1:] == [9])
        readers = [task for task in asyncio.all_tasks() if task.get_name() == "link-read-hub"]
        assert len(readers) == 1
        await process.link.stop()

    simulate(main())


def test_a_lost_lease_starts_a_new_session():
    async def main():
        network = Network()
        process = await Process(network).start()
        network.shard.server.expire(asyncio.get_running_loop().time() + 100)
        process.link.send(1, 50, may_expire=False)
        await until(lambda: len(process.attached) == 2)
        assert process.attached[1] in ([], [1])
        assert network.shard.server.clients["hub"].session == 2
        await process.link.stop()

    simulate(main())


def test_a_failing_callback_does_not_end_the_stream():
    async def main():
        network = Network()
        process = await Process(network).start()
        seen = []

        def fail_once(items):
            seen.extend(items)
            if len(seen) == 1:
                raise ValueError("a bug of the owner")

        process.link._on_items = fail_once
        process.link.send(1, 50)
        await until(lambda: seen == [1])
        process.link.send(2, 50)
        await until(lambda: seen == [1, 2])
        await process.link.stop()

    simulate(main())


def test_an_operation_that_cannot_be_encoded_fails_alone():
    async def main():
        network = Network()
        process = await Process(network).start()
        for n in (1, 10**30, 2):
            process.link.send(n, 50)
        await until(lambda: process.received == [1, 2])
        assert process.unsendable == [10**30]
        process.link.send(-(10**30), 50)
        process.link.send(3, 50)
        await until(lambda: process.received == [1, 2, 3])
        assert process.attached == [[]], "no reset was needed"
        await process.link.stop()

    simulate(main())


@pytest.mark.parametrize("direction", ["_fill", "_note_failure"])
def test_a_direction_that_ends_by_a_fault_of_ours_begins_anew(direction):
    async def main():
        network = Network()
        process = await Process(network).start()
        real, faults = getattr(process.link, direction), iter([True])

        def fault(*arguments):
            if next(faults, False):
                raise ZeroDivisionError
            return real(*arguments)

        setattr(process.link, direction, fault)
        failing = iter(["error"])
        network.fault = lambda method: next(failing, "") if direction == "_note_failure" and method == "poll" else ""
        process.link.send(1, 50, may_expire=False)
        await until(lambda: len(process.attached) == 2)
        process.link.send(2, 50)
        await until(lambda: 2 in process.received)
        assert process.link.attached
        assert not process.link.suspect
        await process.link.stop()

    simulate(main())
