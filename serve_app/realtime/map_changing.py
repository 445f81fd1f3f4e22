"""The part of a connection that sets and removes keys of maps."""

from actors.brokers import contract
from actors.protocol import codes, frames, presence_maps
from serve_app.realtime import permits
from serve_app.realtime.actions import Action, Publish
from serve_app.realtime.core import ConnectionCore
from serve_app.realtime.subscription import SubscriptionState


class MapChanging(ConnectionCore):
    """Changes of keys by clients."""

    __slots__ = ()

    def _change_key(self, command: int, body: frames.PublishRequest, actions: list[Action]) -> None:
        resolved = self._resolve(command, body.channel, actions)
        if resolved is None:
            return
        namespace = resolved[0]
        if namespace.map is None or presence_maps.parse(body.channel) is not None:
            self._error(command, codes.ERROR_NOT_AVAILABLE, actions)
            return
        sub = self.subscriptions.get(body.channel)
        refusal = permits.change_key(
            namespace.map,
            self.user,
            removed=body.removed,
            subscribed=sub is not None and sub.state is SubscriptionState.LIVE,
            insecure=self._env.insecure,
            granted=self._granted(body.channel),
        )
        own = {"": body.key, "client_id": self.client, "user_id": self.user}[namespace.map.client_key]
        if refusal is not None:
            self._error(command, refusal, actions)
            return
        if not own or (body.data is frames.EMPTY and not body.removed):
            self._error(command, codes.ERROR_BAD_REQUEST, actions)
            return
        data = b"" if body.removed else bytes(body.data)
        self._commands += 1
        change = contract.MapChange(own, body.removed)
        actions.append(Publish(command, body.channel, data, namespace.delta_publish, change))
