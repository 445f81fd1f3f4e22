"""The part of a connection that tracks keys of shared polls."""

from collections.abc import Sequence

from actors.brokers.contract import Publication
from actors.protocol import codes, frames
from actors.protocol.namespace_groups import SharedPollOptions
from serve_app.realtime.actions import Action, Track, Untrack
from serve_app.realtime.core import ConnectionCore
from serve_app.realtime.credentials import CredentialsExpired, CredentialsInvalid
from serve_app.realtime.deltas import delta_message
from serve_app.realtime.encoding import publication_message
from serve_app.realtime.poll_subscription import PollSubscription
from serve_app.realtime.subscription import TTL_MAX_S, Subscription
from serve_app.realtime.track_signature import GRACE_S, verify


class Tracking(ConnectionCore):
    """Keys of one connection."""

    __slots__ = ()

    def _can_poll(self, options: SharedPollOptions) -> bool:
        """Whether there is somebody to ask, and a way to know who may."""
        return options.callback in self._env.polls and bool(self._env.track_secret or self._env.insecure)

    def _refresh_keys(
        self, sub: Subscription | None, command: int, body: frames.SubRefreshRequest, actions: list[Action]
    ) -> None:
        if body.type not in (frames.SUB_REFRESH_TRACK, frames.SUB_REFRESH_UNTRACK):
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
        elif sub is None:
            self._error(command, codes.ERROR_PERMISSION_DENIED, actions)
        elif not isinstance(sub, PollSubscription):
            self._error(command, codes.ERROR_NOT_AVAILABLE, actions)
        elif body.type == frames.SUB_REFRESH_TRACK:
            self._track(sub, command, body, actions)
        elif not body.untrack or body.track:
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
        else:
            actions.append(Untrack(sub.channel, tuple(body.untrack)))
            self._reply(frames.Reply(id=command, sub_refresh=frames.SubRefreshResult()), actions)

    def _track(
        self, sub: PollSubscription, command: int, body: frames.SubRefreshRequest, actions: list[Action]
    ) -> None:
        """All of it or nothing: a client that is refused knows what it tracks."""
        items: dict[str, int] = {}
        ends: dict[str, float | None] = {}
        longest = sub.options.max_key_bytes
        for batch in body.track:
            keys = [item.key for item in batch.items]
            if not keys or not all(0 < len(key.encode()) <= longest and "\0" not in key for key in keys):
                self._error(command, codes.ERROR_BAD_REQUEST, actions)
                return
            try:
                end = self._signed_until(batch.signature, sub.channel, keys)
            except CredentialsExpired:
                self._error(command, codes.ERROR_TOKEN_EXPIRED, actions)
                return
            except CredentialsInvalid:
                self._error(command, codes.ERROR_PERMISSION_DENIED, actions)
                return
            for item in batch.items:
                items[item.key] = item.version
                # Of two signatures for a key the longer one counts.
                ends[item.key] = _later(ends[item.key], end) if item.key in ends else end
        if not items:
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
            return
        finite = {key: end for key, end in ends.items() if end is not None}
        expires_at = min(finite.values()) if finite else None
        until = {key: end + GRACE_S for key, end in finite.items()}
        self._commands += 1
        actions.append(Track(command, sub.channel, sub.options, items, until, tuple(body.untrack), expires_at))

    def _signed_until(self, signature: str, channel: str, keys: Sequence[str]) -> float | None:
        if self._env.insecure:
            return None
        return verify(self._env.track_secret, signature, self.user, channel, keys, self._env.wall())

    def tracked(self, asked: Track, answer: Sequence[Publication] | codes.ErrorCode) -> list[Action]:
        """The hub follows the keys from here on: values that are newer than the client's; or why it does not."""
        actions: list[Action] = []
        if self.is_closed():
            return actions
        self._commands -= 1
        if isinstance(answer, codes.ErrorCode):
            self._error(asked.command, answer, actions)
            return actions
        sub = self.subscriptions.get(asked.channel)
        if sub is not None and sub.features.delta:
            # Whole, in the form in which this client reads values that later patches start from.
            items = [delta_message(each, None, binary=self._codec.is_binary) for each in answer]
        else:
            items = [publication_message(each) for each in answer]
        result = frames.SubRefreshResult(items=items)
        if asked.expires_at is not None:
            result.expires = True
            # Zero within the time of grace: clients then ask for a new signature soon.
            result.ttl = min(max(int(asked.expires_at - self._env.wall()), 0), TTL_MAX_S)
        self._reply(frames.Reply(id=asked.command, sub_refresh=result), actions)
        return actions


def _later(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else max(one, other)
