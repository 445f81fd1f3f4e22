"""The session shard: who is connected, and how to reach or end them."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
import structlog

from actors.links import incarnations
from actors.links.frames import Submit
from actors.links.stream import ClientStream, StreamServer
from actors.sessions.contract import SessionRecord
from actors.sessions.questions import Questions
from actors.sessions.registry import Connection, Registry, by_stream
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
    Message,
    Operation,
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
    encode,
    is_revocable,
)
from cluster.settings import Settings
from db.sessions.revocations import Credential, CredentialUnaskable, Revocations, RevocationsUnknown

FORCE_DISCONNECT: Final = 3503
FORCE_DISCONNECT_REASON: Final = "force disconnect"

GRANT_REVOKED: Final = 2000
GRANT_REVOKED_REASON: Final = "token revoked"
"""How a subscription ends whose token was revoked: for good, as connections do. SDKs do not subscribe again."""

CONNECTION_LIMIT: Final = 3504
CONNECTION_LIMIT_REASON: Final = "connection limit"

HOUSEKEEPING_S: Final = 0.5
RECHECK_S: Final = 20.0
"""A revocation whose order was lost, and the end of a login session, are found within about this time."""

CHECKED_AT_ONCE: Final = 1_000
ASK_AGAIN_S: Final = 1.0

EMULATION_QUEUE_BYTES: Final = 1024 * 1024
"""A process that has this much to read is handed no more commands: its stream must not break over one client."""

SPENDING_QUEUE_BYTES: Final = 512 * 1024
"""A process that has this much to read is not told what users spend elsewhere: it is behind with more than rates."""

ForUser = SendToUser | SubscribeUser | UnsubscribeUser | RefreshUser

logger = structlog.get_logger(__name__)


class Asks(Protocol):
    """Reads revocations."""

    async def refused(self, credentials: list[Credential]) -> set[int]:
        """Indexes of void credentials. Raises RevocationsUnknown or CredentialUnaskable."""

    async def close(self) -> None:
        """Give the connection up."""


class SessionShard:
    """Know every connection of some users: list them, send to them, change and end them, refuse revoked credentials.

    Hosted by `actors.hosts`; reached through `actors.sessions.handle`. Methods take and return msgpack (`wire`).

    State:
        Hard: none. Revocations are rows of auth.sessions and auth.users. Soft: connections, by user and by process
        (those without a user are spread over the shards by their own id), and their subscriptions that tokens of their
        own opened; revocations of the last hour; questions that hubs have not answered yet.
    Concurrency:
        Async, one event loop. A connection is registered before the database is asked about it, so a revocation that
        arrives meanwhile finds it; the answer is decided in one turn from both. One question is in flight.
    Failure:
        A submit may be sent again: (session, sequence) makes it happen once. While the database does not answer,
        connections are let in by what the shard knows, and closed if it turns out that they were revoked. Everybody is
        asked about again from time to time: the rows are the truth, also when an order to revoke never came.
    Restart:
        A new incarnation knows nobody: clients see a reset and register everybody again, and each is checked again.
    """

    def __init__(
        self,
        shard: int,
        shards: int,
        settings: Settings,
        *,
        revocations: Asks | None = None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.incarnation = incarnations.mint()
        self.registry = Registry()
        self.questions = Questions()
        self.streams: StreamServer[Operation] = StreamServer(
            self.incarnation,
            Submit[Operation],
            apply=self._apply,
            # Nothing here may be dropped, so there is never a gap to mark.
            encode_gap=lambda channel: encode(Disconnect([], 0, "")),
            on_expire=self._expired,
        )
        self._wall_ms = wall_ms
        self._per_user = settings.max_connections_per_user
        self._revocations: Asks = revocations or Revocations(
            settings.asyncpg_dsn, application_name=f"mobula-sessions-{shard}"
        )
        self._unchecked: dict[int, Connection] = {}
        self._unanswered: dict[int, Connection] = {}
        self._to_check = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._handlers: dict[type, Callable[[ClientStream, Any], None]] = {
            Register: self._register,
            Unregister: self._unregister,
            Synced: self._synced,
            Connections: self._connections,
            DisconnectUser: self._disconnect_user,
            SendToUser: self._send_to_user,
            Emulate: self._emulate,
            Emulated: self._emulated,
            SubscribeUser: self._subscribe_user,
            UnsubscribeUser: self._unsubscribe_user,
            RefreshUser: self._refresh_user,
            RevokeTokens: self._revoke_tokens,
            BlockUser: self._block_user,
            Spent: self._spent,
            HoldsConnections: lambda stream, _op: self.questions.announce(stream),
            AskHubs: self.questions.ask,
            AnswerQuestion: self.questions.answer,
        }

    async def start(self) -> None:
        """Begin to check registrations and leases."""
        self._tasks = [asyncio.create_task(self._check()), asyncio.create_task(self._housekeep())]

    async def stop(self) -> None:
        """Answer waiting polls and let go of the database."""
        self.streams.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._revocations.close()

    async def poll(self, payload: bytes) -> bytes:
        """One long poll of a client's stream."""
        return await self.streams.poll(payload)

    async def submit(self, payload: bytes) -> bytes:
        """Operations of a client; answers only that they are accepted."""
        return await self.streams.submit(payload)

    async def retire(self, payload: bytes) -> bytes:
        """Tell every hub which HAProxy processes to leave (`Retired`). Whoever is not reached is told again later."""
        # Decoded first: what a hub cannot read must not reach it.
        item = encode(msgspec.msgpack.decode(payload, type=Retired))
        for hub in self.questions.hubs.values():
            hub.push(item)
        return b""

    # Turns ------------------------------------------------------------------------------------------------------------

    def _apply(self, stream: ClientStream, operations: list[Operation]) -> None:
        for op in operations:
            try:
                self._handlers[type(op)](stream, op)
            except Exception:
                logger.exception("operation failed", operation=type(op).__name__)

    def _register(self, stream: ClientStream, op: Register) -> None:
        self.registry.remove(stream.boot, op.record.key)
        if self._is_one_too_many(op.record):
            stream.push(encode(Disconnect([op.record.client], CONNECTION_LIMIT, CONNECTION_LIMIT_REASON)))
            return
        connection = self.registry.add(stream, op.record)
        if self.registry.is_void(op.record):
            self._refuse(connection)
            return
        if not is_revocable(op.record):
            connection.checked = True
            stream.push(encode(Registered(op.record.key, accepted=True)))
            return
        self._unchecked[id(connection)] = self._unanswered[id(connection)] = connection
        self._to_check.set()

    def _is_one_too_many(self, record: SessionRecord) -> bool:
        if not self._per_user or not record.user or record.channel:
            return False
        return self.registry.count(record.user) >= self._per_user

    def _unregister(self, stream: ClientStream, op: Unregister) -> None:
        self.registry.remove(stream.boot, op.client)

    def _synced(self, stream: ClientStream, op: Synced) -> None:
        self.registry.forget_boot(stream.boot, before_session=stream.session)

    def _connections(self, stream: ClientStream, op: Connections) -> None:
        records = [connection.record for connection in self.registry.of_user(op.user)]
        stream.push(encode(ConnectionsRead(op.request, records)))

    def _disconnect_user(self, stream: ClientStream, op: DisconnectUser) -> None:
        if op.revoke:
            self.registry.revoke(op.user, op.session, self._wall_ms())
        ended = [
            connection
            for connection in self.registry.of_user(op.user, session=op.session, client=op.client)
            if connection.record.client not in op.exclude
        ]
        self._end(ended, op.code, op.reason)
        stream.push(encode(Told(op.request, len(ended))))

    def _revoke_tokens(self, stream: ClientStream, op: RevokeTokens) -> None:
        ended = self.registry.revoke_tokens(op.user, op.token_id, op.issued_before_ms, self._wall_ms(), op.channel)
        self._end(ended, FORCE_DISCONNECT, FORCE_DISCONNECT_REASON)
        stream.push(encode(Told(op.request, len(ended))))

    def _block_user(self, stream: ClientStream, op: BlockUser) -> None:
        now_ms = self._wall_ms()
        self.registry.block(op.user, op.until_ms, now_ms)
        ended = list(self.registry.of_user(op.user)) if op.until_ms > now_ms else []
        self._end(ended, FORCE_DISCONNECT, FORCE_DISCONNECT_REASON)
        stream.push(encode(Told(op.request, len(ended))))

    def _spent(self, stream: ClientStream, op: Spent) -> None:
        """Every other process hears of it: one that the user connects to next must know what is left."""
        item = encode(SpentElsewhere(op.spent))
        for hub in self.questions.hubs.values():
            if hub is not stream and hub.size < SPENDING_QUEUE_BYTES:
                hub.push(item)

    def _end(self, ended: list[Connection], code: int, reason: str) -> None:
        for connection in ended:
            # Who has not had its answer yet must not be told that it may live.
            connection.revoked = True
            self.registry.remove(connection.stream.boot, connection.record.key)
        for target, clients in by_stream(each for each in ended if not each.record.channel):
            target.push(encode(Disconnect(clients, code, reason)))
        for each in ended:
            if each.record.channel:
                each.stream.push(_subscription_ended(each))

    def _send_to_user(self, stream: ClientStream, op: SendToUser) -> None:
        self._pass_on(stream, op, lambda clients: encode(Message(clients, op.data)))

    def _subscribe_user(self, stream: ClientStream, op: SubscribeUser) -> None:
        self._pass_on(stream, op, lambda clients: encode(Subscribe(clients, op.order)))

    def _unsubscribe_user(self, stream: ClientStream, op: UnsubscribeUser) -> None:
        self._pass_on(stream, op, lambda clients: encode(Unsubscribe(clients, op.channel, op.code, op.reason)))

    def _refresh_user(self, stream: ClientStream, op: RefreshUser) -> None:
        self._pass_on(stream, op, lambda clients: encode(Refresh(clients, op.order)))

    def _pass_on(self, stream: ClientStream, op: ForUser, make: Callable[[list[str]], bytes]) -> None:
        """One item for each process that holds some of the connections meant, and the count for who asked."""
        reached = list(self.registry.of_user(op.user, session=op.session, client=op.client))
        for target, clients in by_stream(reached):
            target.push(make(clients))
        stream.push(encode(Told(op.request, len(reached))))

    def _emulate(self, stream: ClientStream, op: Emulate) -> None:
        owner = self.streams.clients.get(op.node)
        if owner is None:
            stream.push(encode(Delivered(op.request, found=False)))
        elif owner.size + len(op.data) > EMULATION_QUEUE_BYTES:
            stream.push(encode(Delivered(op.request, found=False, busy=True)))
        else:
            owner.push(encode(Commands(stream.boot, op.request, op.session, op.data)))

    def _emulated(self, stream: ClientStream, op: Emulated) -> None:
        origin = self.streams.clients.get(op.origin)
        if origin is not None:
            origin.push(encode(Delivered(op.request, op.found)))

    def _expired(self, stream: ClientStream) -> None:
        self.registry.forget_boot(stream.boot)
        self.questions.forget(stream)

    # Revocations ------------------------------------------------------------------------------------------------------

    async def _check(self) -> None:
        while True:
            await self._to_check.wait()
            self._to_check.clear()
            while self._unchecked:
                batch = self._next_batch()
                if not batch:
                    continue
                try:
                    refused = await self._refused(batch)
                except RevocationsUnknown as reason:
                    logger.warning("revocations cannot be read", reason=str(reason), connections=len(batch))
                    self._admit(self._unanswered.values(), unasked=True)
                    await asyncio.sleep(ASK_AGAIN_S)
                    continue
                except Exception:
                    logger.exception("revocations cannot be read")
                    await asyncio.sleep(ASK_AGAIN_S)
                    continue
                for connection in batch:
                    self._unchecked.pop(id(connection), None)
                    connection.checked = True
                    if id(connection) in refused:
                        self._refuse(connection)
                    elif not connection.revoked:
                        # An order may come late, or not at all; who has a row to say so is not blocked any more.
                        self.registry.blocked.pop(connection.record.user, None)
                self._admit(batch)

    def _next_batch(self) -> list[Connection]:
        """Whom to ask about next. Who has left meanwhile is forgotten, or told that it is revoked."""
        batch: list[Connection] = []
        left: list[Connection] = []
        for connection in self._unchecked.values():
            if len(batch) == CHECKED_AT_ONCE:
                break
            (batch if self.registry.has(connection) else left).append(connection)
        for connection in left:
            del self._unchecked[id(connection)]
            if connection.revoked:
                self._admit([connection])
            else:
                self._unanswered.pop(id(connection), None)
        return batch

    async def _refused(self, batch: list[Connection]) -> set[int]:
        """Ids of those that may not live. Who cannot be asked about is one of them, and holds nobody else up."""
        try:
            void = await self._revocations.refused([_credential(connection) for connection in batch])
        except CredentialUnaskable as reason:
            if len(batch) == 1:
                logger.warning("connection cannot be checked, and is refused", client=batch[0].record.client)
                return {id(batch[0])}
            logger.info("connections are checked in parts", connections=len(batch), reason=str(reason))
            half = len(batch) // 2
            return await self._refused(batch[:half]) | await self._refused(batch[half:])
        return {id(batch[position]) for position in void}

    def _admit(self, connections: Any, *, unasked: bool = False) -> None:
        now_ms = self._wall_ms()
        for connection in list(connections):
            if self._unanswered.pop(id(connection), None) is None:
                continue
            void = connection.revoked or self.registry.is_void(connection.record)
            void = void or (unasked and self.registry.is_blocked(connection.record.user, now_ms))
            connection.stream.push(encode(Registered(connection.record.key, accepted=not void)))

    def _refuse(self, connection: Connection) -> None:
        connection.revoked = True
        held = self.registry.has(connection)
        self.registry.remove(connection.stream.boot, connection.record.key)
        unanswered = self._unanswered.pop(id(connection), None) is not None
        if unanswered or not connection.checked:
            connection.stream.push(encode(Registered(connection.record.key, accepted=False)))
        elif held:
            # It lived: let in while the database did not answer, or revoked since without an order.
            self._end([connection], FORCE_DISCONNECT, FORCE_DISCONNECT_REASON)

    async def _housekeep(self) -> None:
        loop = asyncio.get_running_loop()
        recheck_at = loop.time() + RECHECK_S
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            self.streams.expire(loop.time())
            if loop.time() >= recheck_at:
                recheck_at = loop.time() + RECHECK_S
                self._recheck()

    def _recheck(self) -> None:
        """Ask about everybody again: an order is a shortcut, and whoever should have given it may have died."""
        self.registry.forget_blocks(self._wall_ms())
        for connection in self.registry.all():
            if is_revocable(connection.record):
                self._unchecked.setdefault(id(connection), connection)
        if self._unchecked:
            self._to_check.set()


def _credential(connection: Connection) -> Credential:
    record = connection.record
    return Credential(record.user, record.session, record.issued_at_ms, record.token_id, record.channel)


def _subscription_ended(connection: Connection) -> bytes:
    record = connection.record
    return encode(Unsubscribe([record.client], record.channel, GRANT_REVOKED, GRANT_REVOKED_REASON))
