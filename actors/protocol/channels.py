"""The grammar of channel names.

`[$][namespace:]rest[#user,user…]`

* `namespace:` picks the rules (`actors.protocol.namespaces`); without a colon the default namespace's apply.
* A leading `$` makes the channel private: only a subscription token opens it.
* `#user,user` at the end limits the channel to these users, where the namespace allows it.
"""

from dataclasses import dataclass

PRIVATE_PREFIX = "$"
NAMESPACE_SEPARATOR = ":"
USER_BOUNDARY = "#"
USER_SEPARATOR = ","

MAX_CHANNEL_BYTES = 255
"""Upper bound of a channel name in UTF-8; a namespace may set a lower one."""


class InvalidChannel(ValueError):
    """A name that no namespace could allow."""


@dataclass(frozen=True, slots=True)
class ChannelName:
    """A channel's name, taken apart."""

    namespace: str
    """Empty for the default namespace."""
    private: bool
    users: tuple[str, ...] | None
    """The users that a user-limited channel names; None where the name has no user part."""


def parse(channel: str, max_bytes: int = MAX_CHANNEL_BYTES) -> ChannelName:
    """Take a name apart. Raises InvalidChannel for empty, overlong and unprintable ones."""
    if not channel:
        raise InvalidChannel("a channel needs a name")
    if len(channel) > max_bytes or len(channel.encode("utf-8", "surrogatepass")) > max_bytes:
        raise InvalidChannel(f"channel name longer than {max_bytes} bytes")
    if not channel.isprintable():
        raise InvalidChannel("channel name with unprintable characters")
    private = channel.startswith(PRIVATE_PREFIX)
    body = channel[1:] if private else channel
    head, separator, _ = body.partition(NAMESPACE_SEPARATOR)
    _, boundary, tail = body.rpartition(USER_BOUNDARY)
    users = tuple(tail.split(USER_SEPARATOR)) if boundary else None
    return ChannelName(namespace=head if separator else "", private=private, users=users)


def user_channel(namespace: str, user: str) -> str:
    """The personal channel of a user in a namespace: `namespace:#user`."""
    prefix = f"{namespace}{NAMESPACE_SEPARATOR}" if namespace else ""
    return f"{prefix}{USER_BOUNDARY}{user}"
