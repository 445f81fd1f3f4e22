"""The hub, its channels and connections against clients that send anything and shards that answer in any order.

What must hold whatever happens: no exception, one answer per command, a channel's reply before its pushes and none
after its end, positions without a gap, every refusal a documented code, nothing written after the end.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.brokers.contract import BrokerError, ClientInfo
from actors.protocol import frames
from actors.protocol.namespaces import Namespaces
from serve_app.realtime.connection import CallError, ConnectionState
from serve_app.realtime.environment import Environment, Limits
from serve_app.realtime.handlers import Caller, Handlers
from serve_app.realtime.hub import Hub
from tests.fixtures.adversary import Brokers, Client, Sessions
from tests.fixtures.realtime import NAMESPACES, FakeVerifier
from tests.fixtures.simulation import VirtualLoop

CHANNELS = ("a", "room:1", "plain:1", "scores:1", "open:1", "closed:1", "members:1", "own:x#u1", "nowhere:1", "$a", "")
LIVELY = ("a", "room:1", "scores:1", "members:1")
"""Few, so that things happen in them together."""
KINDS = ("subscribe", "unsubscribe", "publish", "presence", "presence_stats", "history", "rpc", "refresh", "send")
TOKENS = ("good:u1", "good:u2", "expired", "forged", "")
CLIENTS = 3
TROUBLES = (
    "refusal",
    "loss",
    "restart",
    "taken",
    "disconnect",
    "message",
    "presence",
    "slow",
    "vanish",
    "noise",
    "pong",
)


def often(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Nine times out of ten the usual."""
    return st.integers(0, 9).flatmap(lambda luck: rare if luck == 9 else usual)


clients = st.integers(0, CLIENTS - 1)
channels = st.sampled_from(CHANNELS)
lively = st.sampled_from(LIVELY)


@st.composite
def bodies(draw: st.DrawFn, kind: str) -> Any:
    """The content of a command, mostly sensible."""
    channel = draw(often(lively, channels))
    match kind:
        case "subscribe":
            return frames.SubscribeRequest(
                channel=channel,
                recover=draw(st.booleans()),
                epoch=draw(st.sampled_from(["", "e1", "e2"])),
                offset=draw(st.integers(0, 4)),
                positioned=draw(st.booleans()),
                recoverable=draw(st.booleans()),
                join_leave=draw(st.booleans()),
                delta=draw(often(st.sampled_from(["", "fossil"]), st.just("other"))),
                flag=draw(st.integers(0, 3)),
                type=draw(often(st.just(0), st.sampled_from([4, 99]))),
            )
        case "unsubscribe":
            return frames.UnsubscribeRequest(channel=channel)
        case "publish":
            return frames.PublishRequest(
                channel=channel, data=frames.raw(draw(st.sampled_from([b"1", b'{"a":[]}', b""])))
            )
        case "presence":
            return frames.PresenceRequest(channel=channel)
        case "presence_stats":
            return frames.PresenceStatsRequest(channel=channel)
        case "history":
            since = frames.StreamPosition(draw(st.integers(0, 3)), draw(st.sampled_from(["", "e1"])))
            return frames.HistoryRequest(
                channel=channel,
                limit=draw(st.integers(-1, 3)),
                since=draw(st.none() | st.just(since)),
                reverse=draw(st.booleans()),
            )
        case "rpc":
            return frames.RPCRequest(
                data=frames.raw(b"1"), method=draw(st.sampled_from(["echo", "fail", "refuse", "x"]))
            )
        case "refresh":
            return frames.RefreshRequest(token=draw(often(st.just("good:u1"), st.sampled_from(TOKENS))))
    return frames.SendRequest(data=frames.raw(b"1"))


@st.composite
def commands(draw: st.DrawFn) -> tuple[str, Any]:
    """A kind and its content."""
    kind = draw(often(st.sampled_from(("subscribe", "subscribe", "unsubscribe", *KINDS[:-1])), st.sampled_from(KINDS)))
    return kind, draw(bodies(kind))


class HubStates(RuleBasedStateMachine):
    """One hub, three clients at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.failures: list[Any] = []
        self.loop.set_exception_handler(lambda _, context: self.failures.append(context))
        self.logs: Any = structlog.testing.LogCapture()
        self._configured = structlog.get_config()
        structlog.configure(processors=[self.logs], cache_logger_on_first_use=False)
        self.brokers, self.sessions = Brokers(), Sessions()
        self.answers: list[asyncio.Future[bool]] = []
        self.ids = 0
        self.run(self._start())
        self.clients = [Client(self.hub, binary=bool(number % 2)) for number in range(CLIENTS)]

    async def _start(self) -> None:
        handlers = Handlers()
        handlers.permission("member", self._member)
        handlers.rpc("echo", self._echo)
        handlers.rpc("fail", self._fail)
        handlers.rpc("refuse", self._refuse)
        environment = Environment(
            namespaces=Namespaces.parse(NAMESPACES),
            verifier=FakeVerifier(),
            version="test",
            wall=lambda: 1_700_000_000 + self.loop.time(),
            jitter=lambda: 0.5,
            rpc_methods=handlers.rpc_methods,
            limits=Limits(channels=4, commands_in_flight=6, errors_per_minute=15),
        )
        self.hub = Hub("hub", environment, handlers, max_connections=1000)
        self.brokers.sink = self.hub.channels
        self.hub.start(self.brokers, self.sessions)

    async def _member(self, user: str, channel: str) -> bool:
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.answers.append(future)
        return await future

    async def _echo(self, caller: Caller, data: bytes) -> bytes:
        return data

    async def _fail(self, caller: Caller, data: bytes) -> bytes:
        raise CallError(107)

    async def _refuse(self, caller: Caller, data: bytes) -> bytes:
        raise BrokerError(111, "later")

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def settle(self, call: Any = None) -> None:
        """Do it within the loop, and let everything that follows at once happen."""

        async def within() -> None:
            if call is not None:
                call()
            for _ in range(8):
                await asyncio.sleep(0)

        self.run(within())

    # What clients do

    def state(self, number: int) -> ConnectionState:
        return self.clients[number].peer.connection.state

    def ready(self, number: int) -> bool:
        """Make this client one that is there, as most are."""
        if self.clients[number].is_gone:
            self.settle(self.clients[number].vanish)
            self.clients[number] = Client(self.hub, binary=bool(self.ids % 2))
        if self.state(number) is ConnectionState.NEW:
            self.send(number, [("connect", frames.ConnectRequest(token="good:u1"))])
            self.settle(self._register_all)
            self.settle(self.brokers.settle)
        return self.state(number) is ConnectionState.CONNECTED

    def _register_all(self) -> None:
        while self.sessions.waiting:
            self.sessions.answer(0, accepted=True)

    def send(self, number: int, what: list[tuple[str, Any]]) -> None:
        made = []
        for kind, body in what:
            self.ids += 1
            made.append(frames.Command(id=0 if kind == "send" else self.ids, **{kind: body}))
        self.settle(lambda: self.clients[number].send(made))

    @rule(number=clients, token=often(st.just("good:u1"), st.sampled_from(TOKENS)), body=bodies("subscribe"))
    def connect_and_subscribe(self, number: int, token: str, body: Any) -> None:
        """In one frame, as SDKs do."""
        if self.state(number) is ConnectionState.NEW:
            self.send(number, [("connect", frames.ConnectRequest(token=token)), ("subscribe", body)])

    @rule(number=clients, channel=lively, flag=st.integers(0, 3), recover=st.booleans(), offset=st.integers(0, 3))
    def subscribe(self, number: int, channel: str, flag: int, recover: bool, offset: int) -> None:
        if self.ready(number):
            wants = {"recoverable": True, "positioned": True, "join_leave": True}
            body = frames.SubscribeRequest(
                channel=channel, flag=flag, recover=recover, epoch="e1", offset=offset, **wants
            )
            self.send(number, [("subscribe", body)])

    @rule(number=clients, channel=lively, flag=st.integers(0, 3))
    def subscribe_at_once(self, number: int, channel: str, flag: int) -> None:
        self.subscribe(number, channel, flag, recover=False, offset=0)
        for future in list(self.answers):
            self.settle(lambda future=future: self._answer(future, "good"))
        self.settle(self.brokers.settle)

    @rule(number=clients, channel=lively)
    def unsubscribe(self, number: int, channel: str) -> None:
        if self.state(number) is ConnectionState.CONNECTED:
            self.send(number, [("unsubscribe", frames.UnsubscribeRequest(channel=channel))])

    @rule(number=clients, what=st.lists(commands(), min_size=1, max_size=4))
    def frame(self, number: int, what: list[tuple[str, Any]]) -> None:
        if self.state(number) in (ConnectionState.CONNECTED, ConnectionState.CONNECTING):
            self.send(number, what)

    # What shards do

    @rule(number=st.integers(0, 9), accepted=often(st.just(True), st.just(False)))
    def register(self, number: int, accepted: bool) -> None:
        self.settle(lambda: self.sessions.answer(number, accepted=accepted))

    @rule(channel=lively)
    def step(self, channel: str) -> None:
        self.settle(lambda: self.brokers.step(channel))

    @rule()
    def every_shard(self) -> None:
        self.settle(self.brokers.settle)

    @rule(channel=lively | st.just("user:#u1"), count=st.integers(1, 3))
    def publication(self, channel: str, count: int) -> None:
        self.settle(lambda: self.brokers.publish_now(channel, count, history=not channel.startswith("members")))

    @rule(first=lively, second=lively, number=clients)
    def publication_in_the_turn_of_a_command(self, first: str, second: str, number: int) -> None:
        """Whatever is queued for a client and not written yet must not be overtaken."""

        def both() -> None:
            self.brokers.step(first)
            self.brokers.publish_now(first, history=not first.startswith("members"))
            self.ids += 1
            unsubscribe = frames.Command(id=self.ids, unsubscribe=frames.UnsubscribeRequest(channel=second))
            if self.state(number) is ConnectionState.CONNECTED:
                self.clients[number].send([unsubscribe])
            self.brokers.publish_now(second, history=not second.startswith("members"))

        self.settle(both)

    @rule(
        kind=st.sampled_from(TROUBLES),
        channel=lively,
        number=clients,
        code=st.integers(0, 3),
        noise=st.binary(max_size=60),
        what=commands(),
        at=st.floats(0, 1),
    )
    def trouble(
        self, kind: str, channel: str, number: int, code: int, noise: bytes, what: tuple[str, Any], at: float
    ) -> None:
        client, connection = self.clients[number], self.clients[number].peer.connection
        self.ids += 1
        cut = client.wire.codec.encode(frames.Command(id=self.ids, **{what[0]: what[1]}))  # type: ignore[arg-type]
        deeds: dict[str, Callable[[], object]] = {
            "refusal": lambda: self.brokers.refuse_next(channel, (100, 111, 108, 103)[code]),
            "loss": lambda: self.brokers.lose(channel),
            "restart": lambda: self.brokers.restart(channel),
            "taken": lambda: self.hub.channels.on_unsubscribed(
                channel, connection.client if at < 0.8 else "", (2000, 2500, 2501, 2502)[code], ""
            ),
            "disconnect": lambda: self.hub.on_disconnect([connection.client], (3503, 3504, 3011, 3001)[code], ""),
            "message": lambda: self.hub.on_send([connection.client], b'{"m":1}'),
            "presence": lambda: self._announce(channel, joined=bool(code % 2)),
            "slow": lambda: self.hub.too_slow(client.peer),
            "vanish": client.vanish,
            "noise": lambda: client.send_bytes(noise if code else cut[: int(len(cut) * at)]),
            "pong": lambda: client.send([frames.Command()]),
        }
        self.settle(deeds[kind])

    def _announce(self, channel: str, *, joined: bool) -> None:
        if self.brokers.streams[channel].interest:
            tell = self.hub.channels.on_join if joined else self.hub.channels.on_leave
            tell(channel, ClientInfo("somebody", "else"))

    @precondition(lambda self: self.brokers.calls or self.answers)
    @rule(number=st.integers(0, 9), outcome=st.sampled_from(["good", "good", "error", "failure"]))
    def answer(self, number: int, outcome: str) -> None:
        waiting: list[asyncio.Future[Any]] = [*self.brokers.calls, *self.answers]
        self.settle(lambda: self._answer(waiting[number % len(waiting)], outcome))

    def _answer(self, future: asyncio.Future[Any], outcome: str) -> None:
        for held in (self.brokers.calls, self.answers):
            if future in held:
                held.remove(future)
        if future.done():
            return
        if outcome == "good":
            future.set_result(True)
        elif outcome == "error":
            future.set_exception(BrokerError(100, "no answer"))
        else:
            future.set_result(False)

    @rule(seconds=st.sampled_from([0.3, 0.3, 3.0, 11.0, 40.0]), rude=st.integers(0, 9))
    def time_passes(self, seconds: float, rude: int) -> None:
        while seconds > 0:
            self.run(asyncio.sleep(min(seconds, 3.0)))
            seconds -= 3.0
            for client in self.clients:
                if client.pinged and rude:
                    client.pinged = False
                    self.settle(lambda client=client: client.send([frames.Command()]))

    # What holds

    @invariant()
    def nothing_failed(self) -> None:
        assert self.failures == []
        # An application's own permission callback may fail: that is what it says then.
        failed = [
            e for e in self.logs.entries if e["log_level"] == "error" and e["event"] != "permission_callback_failed"
        ]
        assert failed == []

    def teardown(self) -> None:
        try:
            for _ in range(4):  # an answer may lead to the next question
                self.settle(self._finish)
            self.run(asyncio.sleep(1.0))
            self.settle(self._finish)
            for client in self.clients:
                # After a refused `connect` the client is expected to leave: what it sent behind it is not answered.
                if not client.is_gone and client.peer.connection.state is not ConnectionState.REFUSED:
                    connection = client.peer.connection
                    unanswered = {number: times for number, times in client.asked.items() if times and number}
                    assert not unanswered, (unanswered, connection.state)
            self.nothing_failed()
        finally:
            self.run(self.hub.stop())
            structlog.configure(**self._configured)
            self.loop.close()

    def _finish(self) -> None:
        """Everything that waits is answered."""
        for _ in range(20):
            while self.sessions.waiting:
                self.sessions.answer(0, accepted=True)
            self.brokers.settle()
        for future in (*self.brokers.calls, *self.answers):
            self._answer(future, "good")


HubStates.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

TestHubStates = pytest.mark.timeout(300)(HubStates.TestCase)
