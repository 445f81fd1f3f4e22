"""The part of a connection that subscribes, unsubscribes and refreshes subscriptions."""

from typing import Final

from actors.brokers import contract
from actors.protocol import codes, frames, overrides, presence_maps
from actors.protocol.codec import ProtocolError
from actors.protocol.tags_filter import InvalidFilter
from serve_app.realtime import permits
from serve_app.realtime.actions import Action, AskPermission, Attach, Detach, RegisterGrant, ReleaseGrant
from serve_app.realtime.core import NEVER, ConnectionState
from serve_app.realtime.credentials import CredentialsExpired, CredentialsInvalid, SubscriptionGrant
from serve_app.realtime.map_subscription import TYPES, MapSubscription, type_of
from serve_app.realtime.poll_subscription import PollSubscription
from serve_app.realtime.rechecking import Rechecking
from serve_app.realtime.subscription import Subscription, SubscriptionState, ttl
from serve_app.realtime.verdicts import Granted

_KINDS: Final = {"stream": Subscription, "map": MapSubscription, "shared_poll": PollSubscription}

GRANT_CHANGED: Final = codes.unsubscribe(codes.UNSUBSCRIBE_INSUFFICIENT.code, "token changed")
"""SDKs subscribe again, with the token that they have just sent, and recover."""

GRANT_REVOKED: Final = codes.unsubscribe(codes.UNSUBSCRIBE_SERVER.code, "token revoked")

_ENDINGS: Final = {
    codes.UNSUBSCRIBE_EXPIRED.code: codes.DISCONNECT_SUBSCRIPTION_EXPIRED,
    codes.UNSUBSCRIBE_STATE_INVALIDATED.code: codes.DISCONNECT_STATE_INVALIDATED,
}
"""What ends the whole connection where a subscription of the server's cannot go on."""


class Subscribing(Rechecking):
    """Subscriptions of one connection."""

    __slots__ = ()

    def _on_subscribe(self, command: int, body: frames.SubscribeRequest, now: float, actions: list[Action]) -> None:
        if body.delta not in ("", "fossil"):
            raise ProtocolError("unknown delta type")
        known = self.subscriptions.get(body.channel)
        if known is not None:
            if isinstance(known, MapSubscription) and known.state is not SubscriptionState.LIVE:
                self._next_step(known, command, body, now, actions)
            else:
                self._error(command, codes.ERROR_ALREADY_SUBSCRIBED, actions)
            return
        if len(self.subscriptions) >= self._env.limits.channels:
            self._error(command, codes.ERROR_LIMIT_EXCEEDED, actions)
            return
        resolved = self._resolve(command, body.channel, actions)
        if resolved is None:
            return
        namespace, name = resolved
        if body.type not in TYPES:
            self._error(command, codes.ERROR_NOT_AVAILABLE, actions)
            return
        if body.type != type_of(body.channel, namespace):
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
            return
        if namespace.is_map and (body.cursor or (body.phase == frames.PHASE_STREAM and not body.recover)):
            # Nothing was read before, so nothing was permitted before.
            self._error(command, codes.ERROR_PERMISSION_DENIED, actions)
            return
        shown = presence_maps.parse(body.channel)
        if namespace.shared_poll is not None and not self._can_poll(namespace.shared_poll):
            self._error(command, codes.ERROR_NOT_AVAILABLE, actions)
            return
        tags = None
        if body.tf is not frames.EMPTY:
            # What a subscriber with a filter does not get cannot be the base of what it gets.
            if body.delta or not namespace.allow_tags_filter:
                self._error(command, codes.ERROR_BAD_REQUEST, actions)
                return
            try:
                tags = self._codec.tags_filter(bytes(body.tf))
            except InvalidFilter:
                self._error(command, codes.ERROR_BAD_REQUEST, actions)
                return
        info, expires_at, grant = self.info, None, None
        if body.token:
            try:
                grant = self._env.verifier.subscription(body.token)
            except CredentialsExpired:
                self._error(command, codes.ERROR_TOKEN_EXPIRED, actions)
                return
            except CredentialsInvalid:
                self._error(command, codes.ERROR_PERMISSION_DENIED, actions)
                return
            if grant.channel != body.channel or grant.user != self.user or grant.client not in ("", self.client):
                self._close(codes.DISCONNECT_INVALID_TOKEN, actions)
                return
            if self._has_ended(grant.expires_at):
                # As with `connect`: the client asks for another token, which may open the channel for longer.
                self._error(command, codes.ERROR_TOKEN_EXPIRED, actions)
                return
            info = contract.ClientInfo(self.user, self.client, self.info.conn_info, grant.info)
            expires_at = None if self._env.insecure else grant.expires_at
            if shown is None:
                namespace = overrides.apply(namespace, grant.overrides)
        insecure, granted = self._env.insecure, self._granted(body.channel if shown is None else shown.channel)
        permit = permits.subscribe if shown is None else permits.watch_presence
        rules = namespace if shown is None else self._env.namespaces.for_channel(shown.channel)
        verdict = permit(rules, name, self.user, has_grant=grant is not None, insecure=insecure, granted=granted)
        if grant is not None:
            granted |= grant.allow
        if isinstance(verdict, codes.ErrorCode):
            self._error(command, verdict, actions)
            return
        kind = _KINDS[namespace.subscription_type]
        sub = kind(
            body.channel,
            namespace,
            next(self._env.attempts),
            info,
            permits.features(namespace, body, self.user, insecure=insecure, granted=granted),
            body,
            command=command,
            expires_at=expires_at,
            tags=tags,
        )
        if self._codec.is_binary:
            # npm `centrifuge` compares 64-bit numbers of Protobuf by identity, and would find none of its channels.
            sub.compact = False
        if grant is not None:
            sub.allow, sub.refreshes = grant.allow, True
            if shown is None:
                sub.overrides = grant.overrides
                sub.impose(grant.tags)
        if isinstance(sub, MapSubscription):
            sub.begin(body, now)
        self.subscriptions[body.channel] = sub
        self._commands += 1
        if isinstance(verdict, permits.Ask):
            about = "" if shown is None else shown.channel
            operation = "presence" if shown is not None and rules.presence_permission else "subscribe"
            data = bytes(body.data)
            sub.question = AskPermission(verdict.callback, body.channel, sub.attempt, operation, data, about)
            actions.append(sub.question)
        elif grant is not None:
            self._check_grant(sub, grant, now, actions)
        else:
            self._ask_broker(sub, actions)

    def _check_grant(self, sub: Subscription, grant: SubscriptionGrant, now: float, actions: list[Action]) -> None:
        """Whether the token is revoked is known where connections are registered."""
        if self.user or grant.token_id:
            issued_at_ms = int(grant.issued_at * 1000)
            actions.append(RegisterGrant(sub.channel, sub.attempt, grant.token_id, issued_at_ms))
        else:
            actions += self.grant_checked(sub.channel, sub.attempt, accepted=True, now=now)

    def grant_checked(self, channel: str, attempt: int, *, accepted: bool, now: float) -> list[Action]:
        """The session shard's answer about the token of a subscription, which may be live for long."""
        actions: list[Action] = []
        sub = self.subscriptions.get(channel)
        if sub is None or sub.attempt != attempt:
            return actions
        if accepted:
            if sub.state is SubscriptionState.DECIDING:
                self._ask_broker(sub, actions)
        elif sub.state is SubscriptionState.DECIDING:
            self._subscribe_failed(sub, codes.ERROR_PERMISSION_DENIED, now, actions)
        elif sub.state is SubscriptionState.LIVE:
            self._take_away(sub, GRANT_REVOKED, actions)
        else:
            sub.ends_with = GRANT_REVOKED
        return actions

    def _next_step(
        self, sub: MapSubscription, command: int, body: frames.SubscribeRequest, now: float, actions: list[Action]
    ) -> None:
        """A client that reads a map has asked for the next page, or begins anew."""
        if sub.state is not SubscriptionState.PAGING:
            self._error(command, codes.ERROR_CONCURRENT_PAGINATION, actions)
        elif body.type != sub.type:
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
        else:
            sub.next_step(command, body)
            self._commands += 1
            self._ask_broker(sub, actions)

    def _close_if_late(self, now: float, actions: list[Action]) -> bool:
        """End a connection that began to read a map and did not go on in time, asked for the next page or not."""
        dues = [
            sub.due
            for sub in self.subscriptions.values()
            if isinstance(sub, MapSubscription) and sub.state is SubscriptionState.PAGING
        ]
        self._pages_due = min(dues, default=NEVER)
        if self._pages_due <= now:
            self._close(codes.DISCONNECT_SLOW, actions)
        return self.is_closed()

    def permission_answered(
        self, channel: str, attempt: int, verdict: bool | Granted | codes.ErrorCode, now: float
    ) -> list[Action]:
        """A permission callback's verdict; an ErrorCode when it could not decide, or decided with a code."""
        actions: list[Action] = []
        asked = self._asked.get(channel) if self._asked is not None else None
        if asked is not None and asked.attempt == attempt:
            self._operation_answered(channel, asked, verdict, now, actions)
            return actions
        sub = self.subscriptions.get(channel)
        if sub is not None and sub.attempt == attempt and sub.state is SubscriptionState.LIVE:
            self._answered_again(sub, verdict, now, actions)
            return actions
        sub = self._pending(channel, attempt)
        if sub is None:
            return actions
        again_at = None
        if isinstance(verdict, Granted):
            ended, again_at = self._has_ended(verdict.expires_at), verdict.again_at
            self._accept_grant(sub, verdict)
            verdict = codes.ERROR_EXPIRED if ended else True
        self._keep_asking(sub, again_at)
        if verdict is True:
            self._ask_broker(sub, actions)
        else:
            self._subscribe_failed(sub, codes.ERROR_PERMISSION_DENIED if verdict is False else verdict, now, actions)
        return actions

    def _accept_grant(self, sub: Subscription, granted: Granted) -> None:
        """What a callback gives beyond permission. To presence as a map it gives nothing but an end."""
        if presence_maps.parse(sub.channel) is not None:
            sub.expires_at = None if self._env.insecure else granted.expires_at
            return
        sub.overrides = overrides.of(granted.override)
        sub.namespace = overrides.apply(sub.namespace, sub.overrides)
        sub.allow = granted.allow
        sub.server_data = granted.data
        sub.info = contract.ClientInfo(self.user, self.client, self.info.conn_info, granted.info)
        sub.expires_at = None if self._env.insecure else granted.expires_at
        if sub.request is not None:
            sub.features = permits.features(
                sub.namespace,
                sub.request,
                self.user,
                insecure=self._env.insecure,
                granted=self._granted(sub.channel),
            )
        sub.impose(granted.tags())

    def subscribe_answered(
        self, channel: str, attempt: int, reply: contract.SubscribeReply | contract.BrokerError, now: float
    ) -> list[Action]:
        """The broker's answer, in stream order: from here on publications follow."""
        actions: list[Action] = []
        sub = self._pending(channel, attempt)
        if sub is None:
            return actions
        if isinstance(reply, contract.BrokerError):
            self._subscribe_failed(sub, codes.error(reply.code, reply.message), now, actions)
            return actions
        if isinstance(sub, MapSubscription) and reply.page is not None and reply.page.phase != frames.PHASE_LIVE:
            page = sub.turn_page(reply.page, binary=self._codec.is_binary)
            self._pages_due = min(self._pages_due, sub.due)
            self._commands -= 1
            self._reply(frames.Reply(id=sub.command, subscribe=page), actions)
            self._end_as_ordered(sub, actions)
            self._release(sub, now, actions)
            return actions
        result = sub.result(reply, self._lookup, self._env.wall(), binary=self._codec.is_binary)
        if result.was_recovering and not result.recovered and sub.rejects_unrecovered:
            actions.append(Detach(channel, attempt, sub.info))
            self._subscribe_failed(sub, codes.ERROR_UNRECOVERABLE_POSITION, now, actions)
            return actions
        sub.state = SubscriptionState.LIVE
        sub.request = None
        if sub.server_side:
            connecting = self._results is not None
            self._server_side_live(sub, result, now, actions)
            if connecting:
                return actions
            self._end_as_ordered(sub, actions)
            self._release(sub, now, actions)
            return actions
        self._commands -= 1
        self._reply(frames.Reply(id=sub.command, subscribe=result), actions)
        actions.append(Attach(channel, attempt, reply if sub.read_to_the_top(reply, result) else None))
        if sub.expires_at is not None or sub.again_at is not None:
            self._set_expiry_due(now)
        self._end_as_ordered(sub, actions)
        self._release(sub, now, actions)
        return actions

    def _pending(self, channel: str, attempt: int) -> Subscription | None:
        sub = self.subscriptions.get(channel)
        settled = (SubscriptionState.LIVE, SubscriptionState.PAGING)
        if sub is None or sub.attempt != attempt or sub.state in settled:
            return None
        return sub

    def _subscribe_failed(self, sub: Subscription, error: codes.ErrorCode, now: float, actions: list[Action]) -> None:
        del self.subscriptions[sub.channel]
        if sub.refreshes:
            actions.append(ReleaseGrant(sub.channel))
        if sub.server_side and self._results is not None:
            self._refuse(self._connect_command, error, actions)
            return
        self._commands -= 1
        if not sub.server_side:
            self._error(sub.command, error, actions)
        self._release(sub, now, actions)

    def _release(self, sub: Subscription, now: float, actions: list[Action]) -> None:
        held, sub.held = sub.held, None
        if held:
            self._commands -= len(held)
            self._resume(held, now, actions)

    def _on_unsubscribe(self, command: int, body: frames.UnsubscribeRequest, now: float, actions: list[Action]) -> None:
        sub = self.subscriptions.pop(body.channel, None)
        if sub is not None:
            actions.append(Detach(sub.channel, sub.attempt, sub.info))
            self._set_expiry_due(now)
        self._reply(frames.Reply(id=command, unsubscribe=frames.UnsubscribeResult()), actions)

    def unsubscribed(self, channel: str, code: codes.UnsubscribeCode, *, tell_broker: bool) -> list[Action]:
        """The server ends a subscription: a gap, an expiry, an order."""
        actions: list[Action] = []
        sub = self.subscriptions.get(channel)
        if sub is not None and sub.state is SubscriptionState.LIVE:
            self._take_away(sub, code, actions, tell_broker=tell_broker)
        return actions

    def _take_away(
        self, sub: Subscription, code: codes.UnsubscribeCode, actions: list[Action], *, tell_broker: bool = True
    ) -> None:
        if sub.server_side and code.resubscribe:
            # SDKs cannot subscribe again by themselves to what the server chose: they reconnect and recover.
            self._close(_ENDINGS.get(code.code, codes.DISCONNECT_INSUFFICIENT_STATE), actions)
            return
        if self.state is ConnectionState.CONNECTING:
            # The client learns that it has it from the connect reply, and after that that it has it no more.
            sub.ends_with = code
            return
        del self.subscriptions[sub.channel]
        actions.append(Detach(sub.channel, sub.attempt, sub.info, tell_broker))
        self._push(frames.Push(channel=sub.channel, unsubscribe=frames.Unsubscribe(code.code, code.reason)), actions)
        self._end_watching(sub.channel, code, actions)

    def _end_watching(self, channel: str, code: codes.UnsubscribeCode, actions: list[Action]) -> None:
        """Who is taken out of a channel for good must not go on watching who is in it."""
        if code.resubscribe:
            return
        for prefix in (presence_maps.CLIENTS_PREFIX, presence_maps.USERS_PREFIX):
            view = self.subscriptions.get(prefix + channel)
            if view is not None and view.state is SubscriptionState.LIVE:
                self._take_away(view, code, actions)
            elif view is not None:
                view.ends_with = code

    def _on_sub_refresh(self, command: int, body: frames.SubRefreshRequest, now: float, actions: list[Action]) -> None:
        sub = self.subscriptions.get(body.channel)
        if body.type != frames.SUB_REFRESH_TOKEN:
            self._refresh_keys(sub, command, body, actions)
            return
        if sub is None:
            self._error(command, codes.ERROR_PERMISSION_DENIED, actions)
            return
        if not body.token:
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
            return
        try:
            grant = self._env.verifier.subscription(body.token)
        except CredentialsExpired:
            self._close(codes.DISCONNECT_SUBSCRIPTION_EXPIRED, actions)
            return
        except CredentialsInvalid:
            self._close(codes.DISCONNECT_INVALID_TOKEN, actions)
            return
        if grant.channel != body.channel or grant.user != self.user or grant.client not in ("", self.client):
            self._close(codes.DISCONNECT_INVALID_TOKEN, actions)
            return
        if self._has_ended(grant.expires_at):
            self._close(codes.DISCONNECT_SUBSCRIPTION_EXPIRED, actions)
            return
        sub.expires_at, sub.allow, sub.refreshes = None if self._env.insecure else grant.expires_at, grant.allow, True
        if grant.info != sub.info.chan_info:
            sub.info = contract.ClientInfo(self.user, self.client, sub.info.conn_info, grant.info)
        self._set_expiry_due(now)
        result = frames.SubRefreshResult()
        if sub.expires_at is not None:
            result.expires = True
            result.ttl = ttl(sub.expires_at, self._env.wall())
        self._reply(frames.Reply(id=command, sub_refresh=result), actions)
        if _is_about_other_rules(sub, grant):
            if sub.state is SubscriptionState.LIVE:
                self._take_away(sub, GRANT_CHANGED, actions)
            else:
                sub.ends_with = GRANT_CHANGED
            return
        self._check_grant(sub, grant, now, actions)


def _is_about_other_rules(sub: Subscription, grant: SubscriptionGrant) -> bool:
    """Whether a new token has other overrides, or imposes another filter: both are decided when one subscribes.

    What the server chose is not the token's to change, and presence as a map has neither.
    """
    if sub.server_side or presence_maps.parse(sub.channel) is not None:
        return False
    return (grant.overrides, grant.tags) != (sub.overrides, sub.imposed)
