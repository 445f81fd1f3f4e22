"""The part of a connection that the server decides: subscriptions nobody asked for, their end, a new expiry.

At connect they come from the token's claims and the personal channel and are part of the connect result. Later they
come from the server API and are told by pushes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from actors.brokers import contract
from actors.protocol import codes, frames, overrides
from actors.protocol.codec import ProtocolError
from actors.protocol.namespace import Namespace
from serve_app.realtime import permits
from serve_app.realtime.actions import Action, Attach
from serve_app.realtime.core import ConnectionState
from serve_app.realtime.credentials import ClaimedSubscription, Credentials
from serve_app.realtime.subscribing import Subscribing
from serve_app.realtime.subscription import Subscription, SubscriptionState, ttl

NO_STREAM: Final = "the server subscribes to streams; maps and shared polls are for their clients to subscribe to"


class NoStream(ValueError):
    """A map or a shared poll: which pages and keys a client reads, only the client can say."""


@dataclass(frozen=True, slots=True)
class ServerSubscription:
    """A channel that the server chooses for a connection, and how."""

    channel: str
    info: bytes = b""
    """Raw JSON that others see as `chan_info`."""
    data: bytes = b""
    """Raw JSON for the client."""
    expires_at: float | None = None
    """Unix time after which the connection is closed with 3006."""
    since: contract.StreamPosition | None = None
    """Bring what was published after this position, where the channel has recovery."""
    override: Mapping[str, bool] = field(default_factory=dict)
    """Names of `actors.protocol.overrides.OVERRIDABLE` → value."""


class ServerSide(Subscribing):
    """Subscriptions and expiry that the server sets."""

    __slots__ = ()

    # At connect

    def _plan_server_side(self, credentials: Credentials, body: frames.ConnectRequest) -> None:
        """Raises UnknownNamespace, InvalidChannel, NoStream, or ProtocolError for more channels than a connection may
        have.
        """
        wanted: dict[str, ClaimedSubscription] = {}
        personal = self._env.namespaces.personal_channel(credentials.user)
        if personal:
            wanted[personal] = ClaimedSubscription()
        wanted.update(credentials.subs)
        if len(wanted) > self._env.limits.channels:
            raise ProtocolError("the token names too many channels", codes.DISCONNECT_CHANNEL_LIMIT)
        for channel, claimed in wanted.items():
            asked = body.subs.get(channel) or frames.SubscribeRequest()
            chosen = ServerSubscription(channel, claimed.info, claimed.data, override=dict(claimed.overrides))
            self.subscriptions[channel] = self._server_side(chosen, asked)

    def _server_side(self, chosen: ServerSubscription, asked: frames.SubscribeRequest) -> Subscription:
        """Raises UnknownNamespace, InvalidChannel or NoStream."""
        rules = self._rules(chosen)
        return Subscription(
            chosen.channel,
            rules,
            next(self._env.attempts),
            contract.ClientInfo(self.user, self.client, self.info.conn_info, chosen.info),
            permits.server_side_features(rules),
            asked,
            server_side=True,
            server_data=chosen.data,
            expires_at=None if self._env.insecure else chosen.expires_at,
        )

    def _rules(self, chosen: ServerSubscription) -> Namespace:
        rules = overrides.apply(self._env.namespaces.for_channel(chosen.channel), overrides.of(chosen.override))
        if rules.subscription_type != "stream":
            raise NoStream(f"{chosen.channel}: {NO_STREAM}")
        return rules

    # At refresh

    def _added_by(self, credentials: Credentials) -> list[ServerSubscription]:
        """What a new token names and the one before did not. Raises UnknownNamespace, InvalidChannel or NoStream."""
        added = [
            ServerSubscription(channel, claimed.info, claimed.data, override=dict(claimed.overrides))
            for channel, claimed in credentials.subs.items()
            if channel not in self._claimed
        ]
        for chosen in added:
            self._rules(chosen)
        return added

    def _follow_claims(
        self, credentials: Credentials, added: Sequence[ServerSubscription], actions: list[Action]
    ) -> None:
        """Hold what the new token names, and give up what only the one before named.

        What the client itself or the server API subscribed to stays, and so does the personal channel.
        """
        gone = self._claimed - credentials.subs.keys() - {self._env.namespaces.personal_channel(self.user)}
        self._claimed = frozenset(credentials.subs)
        for channel in gone:
            sub = self.subscriptions.get(channel)
            if sub is not None and sub.server_side:
                actions += self.unsubscribe_client(channel, codes.UNSUBSCRIBE_SERVER)
        for chosen in added:
            if not self.is_closed():
                actions += self.subscribe_client(chosen)

    def _introduce(self, conn_info: bytes) -> None:
        """Others see this from now on: with publications and when it leaves. Presence keeps what it was told."""
        if conn_info == self.info.conn_info:
            return
        self.info = contract.ClientInfo(self.user, self.client, conn_info)
        for sub in self.subscriptions.values():
            chan_info = sub.info.chan_info
            sub.info = replace(self.info, chan_info=chan_info) if chan_info else self.info

    # Later

    def subscribe_client(self, chosen: ServerSubscription) -> list[Action]:
        """Subscribe this connection; the client is told by a `subscribe` push. Nothing happens when it already is.

        While it is still connecting, the subscription becomes part of the connect result.

        Raises UnknownNamespace, InvalidChannel or NoStream.
        """
        actions: list[Action] = []
        connecting = self.state is ConnectionState.CONNECTING
        if not (connecting or self.state is ConnectionState.CONNECTED) or chosen.channel in self.subscriptions:
            return actions
        if len(self.subscriptions) >= self._env.limits.channels:
            self._close(codes.DISCONNECT_CHANNEL_LIMIT, actions)
            return actions
        asked = frames.SubscribeRequest()
        if chosen.since is not None:
            asked.recover, asked.epoch, asked.offset = True, chosen.since.epoch, chosen.since.offset
        sub = self._server_side(chosen, asked)
        self.subscriptions[chosen.channel] = sub
        if not connecting:
            self._commands += 1
        if not connecting or self._results is not None:
            self._ask_broker(sub, actions)
        return actions

    def unsubscribe_client(self, channel: str, code: codes.UnsubscribeCode) -> list[Action]:
        """End a subscription, the client's own or the server's; the client is told by an `unsubscribe` push.

        One that is still being decided ends as soon as it is answered.
        """
        sub = self.subscriptions.get(channel)
        if sub is not None and sub.state is not SubscriptionState.LIVE:
            sub.ends_with = code
            return []
        if sub is None:
            actions: list[Action] = []
            self._end_watching(channel, code, actions)
            return actions
        return self.unsubscribed(channel, code, tell_broker=True)

    def refresh_client(self, expires_at: float | None, now: float) -> list[Action]:
        """Let the connection live until then (Unix time), or for good; the client is told by a `refresh` push."""
        actions: list[Action] = []
        if self.state is not ConnectionState.CONNECTED:
            return actions
        if expires_at is not None and expires_at <= self._env.wall():
            self._close(codes.DISCONNECT_EXPIRED, actions)
            return actions
        self._expires_at = None if self._env.insecure else expires_at
        self._set_expiry_due(now)
        push = frames.Refresh()
        if self._expires_at is not None:
            push.expires, push.ttl = True, ttl(self._expires_at, self._env.wall())
        self._reply(frames.Reply(push=frames.Push(refresh=push)), actions)
        return actions

    def _server_side_live(
        self, sub: Subscription, result: frames.SubscribeResult, now: float, actions: list[Action]
    ) -> None:
        if self._results is not None:
            self._results[sub.channel] = result
            actions.append(Attach(sub.channel, sub.attempt))
            self._finish_connect(now, actions)
            return
        self._commands -= 1
        told = frames.Subscribe(result.recoverable, result.epoch, result.offset, result.positioned, result.data)
        self._push(frames.Push(channel=sub.channel, subscribe=told), actions)
        for publication in result.publications:
            self._push(frames.Push(channel=sub.channel, pub=publication), actions)
        actions.append(Attach(sub.channel, sub.attempt))
        if sub.expires_at is not None:
            self._set_expiry_due(now)

    def _end_as_ordered(self, sub: Subscription, actions: list[Action]) -> None:
        """End a subscription that just went live and was told to end meanwhile."""
        if sub.ends_with is not None and not self.is_closed() and self.subscriptions.get(sub.channel) is sub:
            self._take_away(sub, sub.ends_with, actions)
