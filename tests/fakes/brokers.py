"""Brokers and sessions in memory, by the letter of their contracts, for tests of what uses them."""

import asyncio
import fnmatch
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from actors.brokers.contract import (
    BrokerError,
    ChannelSink,
    ClientInfo,
    HistoryReply,
    HistoryRequest,
    PollTurn,
    PresenceStats,
    Publication,
    PublishRequest,
    StreamPosition,
    SubscribeCallback,
    SubscribeReply,
    SubscribeRequest,
)
from actors.protocol.namespaces import Namespaces
from actors.sessions.contract import (
    HubAnswers,
    RefreshOrder,
    SessionRecord,
    SessionSink,
    SubscribeOrder,
    registration_key,
)


class FakeStream:
    """One channel."""

    def __init__(self) -> None:
        self.epoch = "epoch"
        self.publications: list[Publication] = []
        self.top = 0
        self.subscribers: dict[int, SubscribeRequest] = {}


class FakeBrokers:
    """A BrokerClient for one sink. Results arrive in a later turn of the loop, in order, as from the real stream."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces
        self.sink: ChannelSink | None = None
        self.streams: defaultdict[str, FakeStream] = defaultdict(FakeStream)
        self.unsubscribed: list[tuple[str, int, bool]] = []
        self.fail_with: BrokerError | None = None

    def _later(self, call: Callable[..., None], *arguments: object) -> None:
        asyncio.get_running_loop().call_soon(call, *arguments)

    def subscribe(self, request: SubscribeRequest, on_result: SubscribeCallback) -> None:
        if self.fail_with is not None:
            self._later(on_result, self.fail_with)
            return
        stream = self.streams[request.channel]
        stream.subscribers[request.subscription] = request
        position = StreamPosition(stream.epoch, stream.top)
        recovered, missed = False, []
        if request.since is not None and request.since.epoch in ("", stream.epoch):
            missed = [p for p in stream.publications if p.offset > request.since.offset]
            if request.cache_mode:
                missed = missed[-1:]
                recovered = bool(missed) or request.since.offset == stream.top
            else:
                recovered = len(missed) == stream.top - request.since.offset
        self._later(
            on_result,
            SubscribeReply(request.channel, request.subscription, position, recovered, missed if recovered else ()),
        )
        if request.join_leave and self.sink is not None:
            self._later(self.sink.on_join, request.channel, request.info)

    def unsubscribe(self, channel: str, subscription: int, info: ClientInfo, *, last: bool) -> None:
        self.unsubscribed.append((channel, subscription, last))
        request = self.streams[channel].subscribers.pop(subscription, None)
        if request is not None and request.join_leave and self.sink is not None:
            self._later(self.sink.on_leave, channel, info)

    async def publish(self, request: PublishRequest) -> StreamPosition:
        if self.fail_with is not None:
            raise self.fail_with
        stream = self.streams[request.channel]
        namespace = self.namespaces.for_channel(request.channel)
        offset = 0
        if namespace.has_history and not request.skip_history:
            stream.top += 1
            offset = stream.top
        publication = Publication(
            request.data,
            offset=offset,
            epoch=stream.epoch if offset else "",
            info=request.info,
            tags=request.tags,
            time_ms=1,
            delta=request.delta or namespace.delta_publish,
            exclude_clients=request.exclude_clients,
            exclude_users=request.exclude_users,
        )
        if offset:
            stream.publications = [*stream.publications, publication][-namespace.history_size :]
        if stream.subscribers and self.sink is not None:
            self.sink.on_publications(request.channel, [publication])
        return StreamPosition(stream.epoch, stream.top)

    async def history(self, request: HistoryRequest) -> HistoryReply:
        stream = self.streams[request.channel]
        if request.since is not None and request.since.epoch not in ("", stream.epoch):
            raise BrokerError(112, "unrecoverable position")
        found = list(stream.publications)
        if request.reverse:
            found.reverse()
        if request.since is not None:
            offset = request.since.offset
            found = [p for p in found if (p.offset < offset if request.reverse else p.offset > offset)]
        bounded = found if request.limit < 0 else found[: request.limit]
        return HistoryReply(StreamPosition(stream.epoch, stream.top), bounded)

    async def history_remove(self, channel: str) -> None:
        self.streams[channel].publications.clear()

    async def presence(self, channel: str) -> Mapping[str, ClientInfo]:
        subscribers = self.streams[channel].subscribers.values()
        return {request.info.client: request.info for request in subscribers if request.presence}

    async def presence_stats(self, channel: str) -> PresenceStats:
        present = await self.presence(channel)
        return PresenceStats(len(present), len({info.user for info in present.values()}))

    async def poll_claim(self, channel: str, keys: Mapping[str, int]) -> PollTurn:
        return PollTurn(keys)

    def poll_report(
        self, channel: str, asked: Collection[str], values: Sequence[Publication], *, end: bool, failed: bool = False
    ) -> None:
        """There is nobody to tell."""

    def departed(self, boot: str, who: Mapping[str, Sequence[ClientInfo]]) -> None:
        for channel, infos in who.items():
            for info in infos:
                if self.sink is not None:
                    self._later(self.sink.on_leave, channel, info)

    async def channels(self, pattern: str = "") -> Mapping[str, int]:
        return {
            name: len(stream.subscribers)
            for name, stream in self.streams.items()
            if stream.subscribers and (not pattern or fnmatch.fnmatchcase(name, pattern))
        }


class FakeSessions:
    """A SessionClient for one sink."""

    def __init__(self) -> None:
        self.sink: SessionSink | None = None
        self.records: dict[str, SessionRecord] = {}
        self.revoked: set[str] = set()
        self.revoked_tokens: list[tuple[str, str, int, str]] = []
        self.blocked: list[tuple[str, int]] = []
        self.one_is_silent = False
        self.spent: list[dict[str, dict[str, int]]] = []

    def register(self, record: SessionRecord, on_result: Callable[[bool], None]) -> None:
        accepted = record.user not in self.revoked and record.token_id not in self.revoked
        if accepted:
            self.records[record.key] = record
        asyncio.get_running_loop().call_soon(on_result, accepted)

    def unregister(self, client: str, user: str, channel: str = "") -> None:
        self.records.pop(registration_key(client, channel), None)

    async def emulate(self, node: str, session: str, data: bytes) -> bool:
        return self.sink is not None and self.sink.on_commands(session, data)

    async def connections(self, user: str) -> Sequence[SessionRecord]:
        return [record for record in self.records.values() if record.user == user and not record.channel]

    async def disconnect_user(
        self, user: str, *, code: int, reason: str, session: str = "", client: str = "", exclude: Sequence[str] = ()
    ) -> int:
        told = [
            record.client
            for record in await self.connections(user)
            if session in ("", record.session) and client in ("", record.client) and record.client not in exclude
        ]
        if self.sink is not None:
            self.sink.on_disconnect(told, code, reason)
        return len(told)

    async def revoke(self, user: str, *, session: str = "") -> int:
        self.revoked.add(user)
        return await self.disconnect_user(user, code=3503, reason="force disconnect", session=session)

    async def _meant(self, user: str, session: str, client: str) -> list[str]:
        return [
            record.client
            for record in await self.connections(user)
            if session in ("", record.session) and client in ("", record.client)
        ]

    async def revoke_tokens(
        self, *, user: str = "", token_id: str = "", issued_before_ms: int = 0, channel: str = ""
    ) -> int:
        self.revoked_tokens.append((user, token_id, issued_before_ms, channel))
        return 0

    async def block(self, user: str, *, until_ms: int) -> int:
        self.blocked.append((user, until_ms))
        return 0

    async def send_to_user(self, user: str, data: bytes, *, session: str = "", client: str = "") -> int:
        clients = await self._meant(user, session, client)
        if self.sink is not None:
            self.sink.on_send(clients, data)
        return len(clients)

    async def subscribe_user(self, user: str, order: SubscribeOrder, *, session: str = "", client: str = "") -> int:
        clients = await self._meant(user, session, client)
        if self.sink is not None:
            self.sink.on_subscribe(clients, order)
        return len(clients)

    async def unsubscribe_user(
        self, user: str, channel: str, *, code: int, reason: str, session: str = "", client: str = ""
    ) -> int:
        clients = await self._meant(user, session, client)
        if self.sink is not None:
            self.sink.on_unsubscribe(clients, channel, code, reason)
        return len(clients)

    async def refresh_user(self, user: str, order: RefreshOrder, *, session: str = "", client: str = "") -> int:
        clients = await self._meant(user, session, client)
        if self.sink is not None:
            self.sink.on_refresh(clients, order)
        return len(clients)

    def spend(self, spent: Mapping[str, Mapping[str, int]]) -> None:
        self.spent.append({user: dict(amounts) for user, amounts in spent.items()})

    async def ask_hubs(self, question: bytes, *, hub: str = "") -> HubAnswers:
        if self.sink is None or hub not in ("", "hub-1"):
            return HubAnswers({})
        return HubAnswers({"hub-1": self.sink.on_question(question)}, ["hub-2"] if self.one_is_silent else [])
