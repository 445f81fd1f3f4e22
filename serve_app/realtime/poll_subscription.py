"""One connection's hold on a channel whose keys are polled for. Which keys it tracks, its hub's `SharedPolls` knows."""

from actors.brokers import contract
from actors.protocol import frames
from actors.protocol.namespace_groups import SharedPollOptions
from serve_app.realtime.subscription import Lookup, Subscription


class PollSubscription(Subscription):
    """A subscription to a shared poll. Its broker keeps presence and takes it away on order; nothing is published."""

    __slots__ = ()

    @property
    def options(self) -> SharedPollOptions:
        """The rules of its polls."""
        options = self.namespace.shared_poll
        if options is None:
            raise TypeError(f"namespace '{self.namespace.name}' has no shared polls")
        return options

    def result(
        self, reply: contract.SubscribeReply, lookup: Lookup, now_wall: float, *, binary: bool
    ) -> frames.SubscribeResult:
        """The message for the client. A changed epoch makes it forget the versions that it has."""
        self.compact = False
        result = super().result(reply, lookup, now_wall, binary=binary)
        result.type, result.epoch = frames.TYPE_SHARED_POLL, self.options.epoch
        return result
