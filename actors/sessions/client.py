"""One process's access to all session shards: `SessionClient` over links."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from actors.links.frames import Batch
from actors.links.link import Link, LinkFull
from actors.links.placement import shard_of
from actors.links.requests import Requests
from actors.links.shards import ShardCall, link_to
from actors.sessions.contract import (
    HubAnswers,
    RefreshOrder,
    SessionRecord,
    SessionSink,
    SessionsUnreachable,
    SubscribeOrder,
    registration_key,
)
from actors.sessions.surveys import Surveys
from actors.sessions.wire import (
    AnswerQuestion,
    AskHubs,
    BlockUser,
    Commands,
    Connections,
    ConnectionsRead,
    Delivered,
    Disconnect,
    DisconnectUser,
    Emulate,
    Emulated,
    HoldsConnections,
    HubAnswered,
    HubsAsked,
    Item,
    Message,
    Operation,
    Question,
    Refresh,
    RefreshUser,
    Register,
    Registered,
    Retired,
    RevokeTokens,
    SendToUser,
    Spent,
    SpentElsewhere,
    Subscribe,
    SubscribeUser,
    Synced,
    Told,
    Unregister,
    Unsubscribe,
    UnsubscribeUser,
)

ANSWER_WITHIN_S: Final = 3.0
ADMIT_AFTER_S: Final = 3.0
"""A connection whose shard does not answer is let in after this. Its token was verified and lives a minute; when the
shard is back everybody registers again, and who was revoked is closed then."""

CHECK_EVERY_S: Final = 0.25
OVERHEAD_BYTES: Final = 300
SPENT_BYTES: Final = 100
SPENT_PER_OPERATION: Final = 200
"""Users in one message about rates."""

EMULATION_BYTES: Final = 2 * 1024 * 1024
"""Commands that one process has under way to others: a quarter of what a link buffers, so orders always find room."""

FORCE_DISCONNECT: Final = 3503
FORCE_DISCONNECT_REASON: Final = "force disconnect"
GRANT_REVOKED: Final = 2000
GRANT_REVOKED_REASON: Final = "token revoked"

_Orders = DisconnectUser | SendToUser | SubscribeUser | UnsubscribeUser | RefreshUser | RevokeTokens | BlockUser
_Asking = Connections | _Orders | Emulate
"""Operations that somebody waits for."""


logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Held:
    record: SessionRecord
    since: float
    on_result: Callable[[bool], None] | None
    """None once it was called."""


class _ShardView:
    """The part of the client that concerns one shard."""

    def __init__(self, boot: str, shard: int, call: ShardCall, sink: SessionSink | None, ids: Iterator[int]) -> None:
        self.held: dict[str, _Held] = {}
        self.waiting: dict[str, _Held] = {}
        self._sink = sink
        self.surveys = Surveys(self._send_question, ids)
        self.link: Link[Operation, Item] = link_to(boot, shard, call, Batch[Item], self)
        self.requests: Requests[Any] = Requests(
            self.link.send, ids, within_s=ANSWER_WITHIN_S, full=_too_many, late=SessionsUnreachable
        )
        self._handlers: dict[type, Callable[[Any], None]] = {
            Registered: self._on_registered,
            Disconnect: self._on_disconnect,
            Message: self._on_message,
            ConnectionsRead: self._on_answer,
            Told: self._on_answer,
            Commands: self._on_commands,
            Delivered: self._on_answer,
            Subscribe: self._on_subscribe,
            Unsubscribe: self._on_unsubscribe,
            Refresh: self._on_refresh,
            Question: self._on_question,
            SpentElsewhere: self._on_spent,
            Retired: self._on_retired,
            HubsAsked: self.surveys.on_asked,
            HubAnswered: self.surveys.on_answered,
        }

    def register(self, record: SessionRecord, on_result: Callable[[bool], None]) -> None:
        held = _Held(record, asyncio.get_running_loop().time(), on_result)
        self.held[record.key] = self.waiting[record.key] = held
        self.link.send(Register(record), OVERHEAD_BYTES, may_expire=False)

    def unregister(self, key: str, user: str) -> None:
        self.waiting.pop(key, None)
        if self.held.pop(key, None) is not None:
            self.link.send(Unregister(key, user), OVERHEAD_BYTES, may_expire=False)

    async def ask(self, make: Callable[[int], Operation], size: int = 0) -> Any:
        return await self.requests.ask(make, size).future

    def check(self, now: float) -> None:
        """Answer what has waited too long."""
        self.requests.check(now)
        while self.waiting:
            held = next(iter(self.waiting.values()))
            if held.since > now - ADMIT_AFTER_S:
                break
            logger.warning("connection admitted without its session shard", client=held.record.client)
            self._answer(held, accepted=True)

    def _answer(self, held: _Held, *, accepted: bool) -> None:
        record = held.record
        self.waiting.pop(record.key, None)
        if not accepted:
            self.held.pop(record.key, None)
        callback, held.on_result = held.on_result, None
        if callback is not None:
            callback(accepted)
        elif not accepted and self._sink is not None:
            # It lived already: revoked while its shard was away.
            if record.channel:
                self._sink.on_unsubscribe([record.client], record.channel, GRANT_REVOKED, GRANT_REVOKED_REASON)
            else:
                self._sink.on_disconnect([record.client], FORCE_DISCONNECT, FORCE_DISCONNECT_REASON)

    def on_items(self, items: list[Item]) -> None:
        for item in items:
            try:
                self._handlers[type(item)](item)
            except Exception:
                logger.exception("item failed", item=type(item).__name__)

    def _on_registered(self, item: Registered) -> None:
        held = self.held.get(item.client)
        if held is not None:
            self._answer(held, accepted=item.accepted)

    def _on_disconnect(self, item: Disconnect) -> None:
        for client in item.clients:
            # One that the shard never took needs no answer any more.
            self.waiting.pop(client, None)
        if self._sink is not None and item.clients:
            self._sink.on_disconnect(item.clients, item.code, item.reason)

    def _on_message(self, item: Message) -> None:
        if self._sink is not None:
            self._sink.on_send(item.clients, item.data)

    def _on_commands(self, item: Commands) -> None:
        found = self._sink is not None and self._sink.on_commands(item.session, item.data)
        self.link.send(Emulated(item.origin, item.request, found), OVERHEAD_BYTES, may_expire=False)

    def _on_subscribe(self, item: Subscribe) -> None:
        if self._sink is not None:
            self._sink.on_subscribe(item.clients, item.order)

    def _on_unsubscribe(self, item: Unsubscribe) -> None:
        if self._sink is not None:
            self._sink.on_unsubscribe(item.clients, item.channel, item.code, item.reason)

    def _on_refresh(self, item: Refresh) -> None:
        if self._sink is not None:
            self._sink.on_refresh(item.clients, item.order)

    def _on_question(self, item: Question) -> None:
        if self._sink is not None:
            answer = self._sink.on_question(item.question)
            self.link.send(AnswerQuestion(item.ticket, answer), len(answer) + OVERHEAD_BYTES)

    def spend(self, spent: list[tuple[str, dict[str, int]]]) -> None:
        for start in range(0, len(spent), SPENT_PER_OPERATION):
            part = spent[start : start + SPENT_PER_OPERATION]
            with contextlib.suppress(LinkFull):
                self.link.send(Spent(part), OVERHEAD_BYTES + SPENT_BYTES * len(part))

    def _on_spent(self, item: SpentElsewhere) -> None:
        if self._sink is not None:
            for user, amounts in item.spent:
                self._sink.on_spent(user, amounts)

    def _on_retired(self, item: Retired) -> None:
        if self._sink is not None:
            self._sink.on_retired(item.generations)

    def _send_question(self, op: AskHubs, size: int) -> None:
        self.link.send(op, size + OVERHEAD_BYTES)

    def _on_answer(self, item: ConnectionsRead | Told | Delivered) -> None:
        self.requests.answer(item.request, item)

    def on_attached(self, unsent: Sequence[Operation]) -> None:
        """The shard knows nobody: register everybody, then ask again. Every order may be carried out twice."""
        if self._sink is not None:
            self.link.send(HoldsConnections(), OVERHEAD_BYTES, may_expire=False)
        for held in self.held.values():
            self.link.send(Register(held.record), OVERHEAD_BYTES, may_expire=False)
        self.link.send(Synced(), OVERHEAD_BYTES, may_expire=False)
        for asked in self.requests.asked.values():
            # Messages and commands must not arrive twice; the other orders do no harm when repeated.
            if not isinstance(asked.op, SendToUser | Emulate) or any(op is asked.op for op in unsent):
                self.link.send(asked.op, OVERHEAD_BYTES, may_expire=False)
        self.surveys.ask_again()

    def on_expired(self, operations: Sequence[Operation]) -> None:
        for op in operations:
            if isinstance(op, _Asking):
                self.requests.expire([op.request])

    def on_unsendable(self, operations: Sequence[Operation]) -> None:
        """No shard could read these: who connects with such a record is refused."""
        for op in operations:
            if isinstance(op, Register):
                held = self.held.get(op.record.key)
                if held is not None:
                    self._answer(held, accepted=False)
            elif isinstance(op, _Asking):
                self.requests.fail(op.request, SessionsUnreachable("a value of the request cannot be encoded"))


def _too_many() -> SessionsUnreachable:
    return SessionsUnreachable("too many requests wait for the shard")


class Sessions:
    """`SessionClient` of one process. Without a sink it can ask and order, but registers nobody."""

    def __init__(self, boot_id: str, sink: SessionSink | None, *, shards: int, call: ShardCall) -> None:
        ids = itertools.count(1)
        self._views = [_ShardView(boot_id, shard, call, sink, ids) for shard in range(shards)]
        self._checking: asyncio.TimerHandle | None = None
        self._emulating = 0
        """Bytes of commands on their way to other processes."""

    async def start(self) -> None:
        """Begin to reach the shards; returns at once."""
        for view in self._views:
            await view.link.start()
        self._check()

    async def stop(self) -> None:
        """End all links; what is unanswered fails."""
        if self._checking is not None:
            self._checking.cancel()
        await asyncio.gather(*(view.link.stop() for view in self._views))
        for view in self._views:
            view.waiting.clear()
            view.check(float("inf"))

    async def wait_attached(self) -> None:
        """Return when every shard's stream exists."""
        await asyncio.gather(*(view.link.wait_attached() for view in self._views))

    @property
    def attached(self) -> bool:
        """Whether every shard's stream exists and answers: readiness."""
        return all(view.link.attached and not view.link.suspect for view in self._views)

    def register(self, record: SessionRecord, on_result: Callable[[bool], None]) -> None:
        """Register; `on_result(True)` when it may live, False when its session or token is revoked."""
        self._view(record.user, record.client).register(record, on_result)

    def unregister(self, client: str, user: str, channel: str = "") -> None:
        """The connection ended, or its subscription to the channel, which a token of its own had opened."""
        self._view(user, client).unregister(registration_key(client, channel), user)

    async def connections(self, user: str) -> Sequence[SessionRecord]:
        """Who is connected as this user, in the whole cluster. Raises SessionsUnreachable."""
        answer: ConnectionsRead = await self._view(user).ask(lambda number: Connections(number, user))
        return answer.records

    async def disconnect_user(
        self, user: str, *, code: int, reason: str, session: str = "", client: str = "", exclude: Sequence[str] = ()
    ) -> int:
        """Close a user's connections (all, of one login session, or one). Returns how many were told."""
        return await self._order(
            user, client, lambda number: DisconnectUser(number, user, code, reason, session, client, tuple(exclude))
        )

    async def revoke(self, user: str, *, session: str = "") -> int:
        """Close with 3503 and refuse tokens issued until now: of one login session, or all of the user's."""
        return await self._order(
            user,
            "",
            lambda number: DisconnectUser(
                number, user, FORCE_DISCONNECT, FORCE_DISCONNECT_REASON, session, revoke=True
            ),
        )

    async def revoke_tokens(
        self, *, user: str = "", token_id: str = "", issued_before_ms: int = 0, channel: str = ""
    ) -> int:
        """End what a token, or a user's tokens issued before then, opened: connections with 3503, subscriptions with
        2000; refuse them from now on. `channel`: only the user's subscription tokens for it.

        The rows of `db.sessions.service` are written first: they are the truth. Returns how many were told.
        """
        views = [self._view(user)] if user else self._views
        answers = await asyncio.gather(
            *(
                view.ask(lambda number: RevokeTokens(number, user, token_id, issued_before_ms, channel), OVERHEAD_BYTES)
                for view in views
            )
        )
        return sum(answer.count for answer in answers)

    async def block(self, user: str, *, until_ms: int) -> int:
        """Close a user's connections with 3503; 0: forget that they were to be. Returns how many were told.

        The row of `db.sessions.service` is written first: it is the truth, by which connections are let in.
        """
        return await self._order(user, "", lambda number: BlockUser(number, user, until_ms))

    async def send_to_user(self, user: str, data: bytes, *, session: str = "", client: str = "") -> int:
        """Send raw JSON to a user's connections (all, of one login session, or one). Returns how many were told."""
        return await self._order(
            user, client, lambda number: SendToUser(number, user, data, session, client), len(data)
        )

    async def subscribe_user(self, user: str, order: SubscribeOrder, *, session: str = "", client: str = "") -> int:
        """Subscribe a user's connections to a channel. Returns how many were told."""
        size = len(order.info) + len(order.data)
        return await self._order(user, client, lambda number: SubscribeUser(number, user, order, session, client), size)

    async def unsubscribe_user(
        self, user: str, channel: str, *, code: int, reason: str, session: str = "", client: str = ""
    ) -> int:
        """Take a channel, or all when it is empty, away from a user's connections. Returns how many were told."""
        return await self._order(
            user, client, lambda number: UnsubscribeUser(number, user, channel, code, reason, session, client)
        )

    async def refresh_user(self, user: str, order: RefreshOrder, *, session: str = "", client: str = "") -> int:
        """Give a user's connections another end. Returns how many were told."""
        return await self._order(user, client, lambda number: RefreshUser(number, user, order, session, client))

    def spend(self, spent: Mapping[str, Mapping[str, int]]) -> None:
        """Tell the other processes what users have used of their rates here: user → bucket → tokens."""
        by_view: dict[int, list[tuple[str, dict[str, int]]]] = {}
        for user, amounts in spent.items():
            by_view.setdefault(shard_of(user, len(self._views)), []).append((user, dict(amounts)))
        for shard, part in by_view.items():
            self._views[shard].spend(part)

    async def ask_hubs(self, question: bytes, *, hub: str = "") -> HubAnswers:
        """Ask every realtime process, or one, and wait a second for the answers. Raises SessionsUnreachable."""
        # Every hub is known to every shard; the first answers for all.
        return await self._views[0].surveys.ask(question, hub)

    async def _order(self, user: str, client: str, make: Callable[[int], Operation], size: int = 0) -> int:
        answer: Told = await self._view(user, client).ask(make, size)
        return answer.count

    async def emulate(self, node: str, session: str, data: bytes) -> bool:
        """Hand commands to the process that owns an emulated session. Returns whether it was found."""
        if self._emulating + len(data) > EMULATION_BYTES:
            raise SessionsUnreachable("too many commands wait for other processes")
        self._emulating += len(data)
        try:
            # One shard for one session: what follows each other here arrives in the same order there.
            answer: Delivered = await self._view(session).ask(
                lambda number: Emulate(number, node, session, data), len(data)
            )
        finally:
            self._emulating -= len(data)
        if answer.busy:
            raise SessionsUnreachable("the process that owns the session is behind")
        return answer.found

    def _view(self, user: str, client: str = "") -> _ShardView:
        """The shard that knows a user's connections, or the one connection that has no user."""
        return self._views[shard_of(user or client, len(self._views))]

    def _check(self) -> None:
        loop = asyncio.get_running_loop()
        for view in self._views:
            view.check(loop.time())
        self._checking = loop.call_later(CHECK_EVERY_S, self._check)
