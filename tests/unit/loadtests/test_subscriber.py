"""A recovering client against a small server that loses it, refuses it and lets it back."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from loadtests.bench_storm import Crowd, NotBack, publish, reconnect, verify
from loadtests.subscriber import Subscriber
from tests.fixtures.waiting import eventually


class Room:
    """One channel of one server: offsets from 1, history, recovery."""

    def __init__(self) -> None:
        self.history: list[int] = []
        self.sockets: set[ServerConnection] = set()
        self.asked: list[dict[str, Any]] = []
        self.refuse = 0
        self.forget = False

    async def handle(self, socket: ServerConnection) -> None:
        async for frame in socket:
            for line in str(frame).split("\n"):
                command = json.loads(line)
                if "connect" in command:
                    await socket.send(json.dumps({"id": command["id"], "connect": {"client": "c"}}) + "\n{}")
                elif "subscribe" in command:
                    await self.subscribe(socket, command)
                elif "publish" in command:
                    self.publish(command["publish"]["data"])

    async def subscribe(self, socket: ServerConnection, command: dict[str, Any]) -> None:
        asked = command["subscribe"]
        self.asked.append(asked)
        result: dict[str, Any] = {"epoch": "e", "offset": len(self.history)}
        if asked.get("recover"):
            result["was_recovering"] = True
            if not self.forget:
                result["recovered"] = True
                result["publications"] = self.publications(asked["offset"])
        await socket.send(json.dumps({"id": command["id"], "subscribe": result}))
        self.sockets.add(socket)

    def publications(self, since: int) -> list[dict[str, int]]:
        return [{"offset": n, "data": data} for n, data in enumerate(self.history[since:], since + 1)]

    def publish(self, data: int) -> None:
        self.history.append(data)
        for socket in list(self.sockets):
            push = {"push": {"channel": "c", "pub": {"offset": len(self.history), "data": data}}}
            task = asyncio.ensure_future(socket.send(json.dumps(push)))
            task.add_done_callback(lambda done: done.exception())

    def gate(self, connection: ServerConnection, request: Any) -> Any:
        if self.refuse:
            self.refuse -= 1
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "later")
        return None


async def test_a_crowd_that_lost_its_sockets_comes_back_with_what_it_missed() -> None:
    room, crowd = Room(), Crowd()
    async with serve(room.handle, "127.0.0.1", 0, compression=None, process_request=room.gate) as listening:
        port = listening.sockets[0].getsockname()[1]
        crowd.members = [Subscriber("127.0.0.1", port, "/", "c", crowd.wake) for _ in range(5)]
        await reconnect(crowd, 5)
        publish(crowd, crowd.members[:1], range(2))
        await crowd.until(1)
        for member in crowd.members:
            member.lose()
        await eventually(lambda: not listening.connections)
        room.sockets.clear()
        room.publish(2)
        room.refuse = 2
        took = await reconnect(crowd, 5)
        await crowd.until(2)
        assert len(took) == 5
        assert [code for member in crowd.members for code in member.refusals] == [503, 503]
        assert room.asked[-1] == {"channel": "c", "recover": True, "epoch": "e", "offset": 2}
        assert verify(crowd, [0, 1, 2]) == (0, 0, 0)
        for member in crowd.members:
            member.lose()


async def test_what_is_lost_doubled_or_not_recovered_is_counted() -> None:
    crowd = Crowd()
    crowd.members = [Subscriber("127.0.0.1", 1, "/", "c", crowd.wake) for _ in range(4)]
    whole, lacking, doubled, lost = crowd.members
    for member, offsets in ((whole, (1, 2, 3)), (lacking, (1, 3)), (doubled, (1, 2, 2, 3)), (lost, (1, 2, 3))):
        for offset in offsets:
            member.take({"offset": offset, "data": offset})
    lost.recoveries = [True, False]
    assert verify(crowd, [1, 2, 3]) == (1, 1, 2)


async def test_who_does_not_come_back_is_reported(monkeypatch: Any) -> None:
    monkeypatch.setattr("loadtests.bench_storm.LIMIT_S", 0.02)
    crowd = Crowd()
    crowd.members = [Subscriber("127.0.0.1", 1, "/", "c", crowd.wake)]
    crowd.members[0].refusals = [503]
    with pytest.raises(NotBack, match=r"1 of 1 clients; refused with \[503\]"):
        await crowd.until(1)
