"""What a shard answers when it refuses, and who is in a channel: answers that change nothing."""

from collections.abc import Mapping
from itertools import islice

from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError, ClientInfo
from actors.brokers.items import Failed, PresenceRead, Resumed, SubscribeFailed
from actors.brokers.operations import (
    Channels,
    History,
    HistoryRemove,
    MapClear,
    MapRead,
    MapSubscribe,
    Operation,
    Presence,
    Publish,
    Repair,
    Resume,
    Subscribe,
)
from actors.brokers.poll_wire import PollClaim
from actors.brokers.recovery import ANSWER_BYTES
from actors.brokers.wire import encode
from actors.links.stream import ClientStream
from actors.protocol.channels import InvalidChannel
from actors.protocol.namespaces import Namespaces, UnknownNamespace


def refuse(stream: ClientStream, op: Operation, refusal: BrokerError) -> None:
    """Answer an operation that failed, in the form its sender waits for."""
    if isinstance(op, Subscribe | MapSubscribe):
        failed = SubscribeFailed(op.channel, op.subscriber.subscription, refusal.code, refusal.message)
        stream.push(encode(failed))
    elif isinstance(op, Resume | Repair):
        # The hub tells its subscribers that their stream broke; they come back and are answered one by one.
        stream.push(encode(Resumed(op.channel, "", 0, ok=False, pubs=[])))
    elif isinstance(op, Publish | History | HistoryRemove | Presence | Channels | MapRead | MapClear | PollClaim):
        stream.push(encode(Failed([op.request], refusal.code, refusal.message)))


def presence(namespaces: Namespaces, channels: Mapping[str, Channel], op: Presence) -> PresenceRead:
    """Who is in a channel, or how many. Raises BrokerError 102, 107 or 108."""
    try:
        rules = namespaces.for_channel(op.channel)
    except UnknownNamespace:
        raise BrokerError(102, "unknown channel") from None
    except InvalidChannel as reason:
        raise BrokerError(107, str(reason)) from None
    if not rules.presence:
        raise BrokerError(108, "the namespace keeps no presence")
    channel = channels.get(op.channel)
    if channel is None:
        return PresenceRead(op.request, 0, 0, [])
    infos: list[ClientInfo] = []
    size = 0
    if op.full:
        for present in islice(channel.presence.values(), rules.presence_limit or None):
            info = present.info
            size += len(info.user) + len(info.client) + len(info.conn_info) + len(info.chan_info)
            if size > ANSWER_BYTES:
                break
            infos.append(info)
    return PresenceRead(op.request, len(channel.presence), len(channel.users), infos)
