"""What clients and session shards say to each other: operations up, items down. Typed arrays in msgpack."""

import msgspec

from actors.sessions.contract import RefreshOrder, SessionRecord, SubscribeOrder

encode = msgspec.msgpack.Encoder().encode


def is_revocable(record: SessionRecord) -> bool:
    """Whether the connection was let in by something that may be taken back."""
    return bool(record.user or record.session or record.token_id)


class Register(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """A connection, or a subscription with a token of its own, wants to live. Answered by `Registered`."""

    record: SessionRecord


class Unregister(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """What was registered under the key `client` ended."""

    client: str
    user: str


class Synced(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """Everybody has been registered again: who is missing ended meanwhile."""


class Connections(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """Who is connected as this user?"""

    request: int
    user: str


class DisconnectUser(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """End a user's connections. `revoke`: and refuse credentials issued until now."""

    request: int
    user: str
    code: int
    reason: str
    session: str = ""
    client: str = ""
    exclude: tuple[str, ...] = ()
    revoke: bool = False


class SendToUser(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """A message for a user's connections."""

    request: int
    user: str
    data: bytes
    session: str = ""
    client: str = ""


class Emulate(msgspec.Struct, array_like=True, frozen=True, tag=7):
    """Commands that reached another process than the one that owns the session. `node` is the owner's boot id."""

    request: int
    node: str
    session: str
    data: bytes


class Emulated(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """The owner's answer to `Commands`. `origin` is the boot id of the process that asked."""

    origin: str
    request: int
    found: bool


class SubscribeUser(msgspec.Struct, array_like=True, frozen=True, tag=9):
    """A channel for a user's connections."""

    request: int
    user: str
    order: SubscribeOrder
    session: str = ""
    client: str = ""


class UnsubscribeUser(msgspec.Struct, array_like=True, frozen=True, tag=10):
    """A channel less for a user's connections."""

    request: int
    user: str
    channel: str
    code: int
    reason: str
    session: str = ""
    client: str = ""


class RefreshUser(msgspec.Struct, array_like=True, frozen=True, tag=11):
    """Another end for a user's connections."""

    request: int
    user: str
    order: RefreshOrder
    session: str = ""
    client: str = ""


class HoldsConnections(msgspec.Struct, array_like=True, frozen=True, tag=12):
    """This process is a hub: questions to hubs are for it too. Answered by nothing."""


class AskHubs(msgspec.Struct, array_like=True, frozen=True, tag=13):
    """A question for every hub, or for one."""

    request: int
    question: bytes
    hub: str = ""


class AnswerQuestion(msgspec.Struct, array_like=True, frozen=True, tag=14):
    """A hub's answer to `Question`."""

    ticket: int
    answer: bytes


class RevokeTokens(msgspec.Struct, array_like=True, frozen=True, tag=16):
    """A token, or a user's tokens issued before then, are void: close what they opened.

    `channel`: only the user's subscription tokens for this channel.
    """

    request: int
    user: str
    token_id: str
    issued_before_ms: int
    channel: str = ""


class BlockUser(msgspec.Struct, array_like=True, frozen=True, tag=18):
    """A user may not connect until then: close what is open. `until_ms` 0: they may again."""

    request: int
    user: str
    until_ms: int


class Spent(msgspec.Struct, array_like=True, frozen=True, tag=17):
    """What users have used of their rates in this process, `(user, bucket → tokens)`. Answered by nothing."""

    spent: list[tuple[str, dict[str, int]]]


Operation = (
    Register
    | Unregister
    | Synced
    | Connections
    | DisconnectUser
    | SendToUser
    | SubscribeUser
    | UnsubscribeUser
    | RefreshUser
    | RevokeTokens
    | BlockUser
    | Spent
    | HoldsConnections
    | AskHubs
    | AnswerQuestion
    | Emulate
    | Emulated
)


class Registered(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """Whether what was registered under the key `client` may live."""

    client: str
    accepted: bool


class Disconnect(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """Close these connections."""

    clients: list[str]
    code: int
    reason: str


class Message(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """Send this to these connections."""

    clients: list[str]
    data: bytes


class ConnectionsRead(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """Answer to `Connections`."""

    request: int
    records: list[SessionRecord]


class Told(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """How many connections an order or a message went to."""

    request: int
    count: int


class Commands(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """Commands for a session of this process, from `origin`. Answered by `Emulated`."""

    origin: str
    request: int
    session: str
    data: bytes


class Delivered(msgspec.Struct, array_like=True, frozen=True, tag=7):
    """Answer to `Emulate`. `busy`: nothing was delivered, because the owner is behind."""

    request: int
    found: bool
    busy: bool = False


class Subscribe(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """Subscribe these connections."""

    clients: list[str]
    order: SubscribeOrder


class Unsubscribe(msgspec.Struct, array_like=True, frozen=True, tag=9):
    """Take a channel away from these connections."""

    clients: list[str]
    channel: str
    code: int
    reason: str


class Refresh(msgspec.Struct, array_like=True, frozen=True, tag=10):
    """Give these connections another end."""

    clients: list[str]
    order: RefreshOrder


class Question(msgspec.Struct, array_like=True, frozen=True, tag=11):
    """A question for this hub, to be answered with its ticket."""

    ticket: int
    question: bytes


class HubsAsked(msgspec.Struct, array_like=True, frozen=True, tag=12):
    """Who was asked; so many answers follow."""

    request: int
    hubs: list[str]


class HubAnswered(msgspec.Struct, array_like=True, frozen=True, tag=13):
    """What one hub answered."""

    request: int
    hub: str
    answer: bytes


class SpentElsewhere(msgspec.Struct, array_like=True, frozen=True, tag=14):
    """What users have used of their rates in another process, as in `Spent`."""

    spent: list[tuple[str, dict[str, int]]]


class Retired(msgspec.Struct, array_like=True, frozen=True, tag=15):
    """HAProxy processes whose sockets must move, by generation (`actors.agents.edge_watch`)."""

    generations: list[str]


Item = (
    Registered
    | Disconnect
    | Message
    | ConnectionsRead
    | Told
    | Subscribe
    | Unsubscribe
    | Refresh
    | Question
    | HubsAsked
    | HubAnswered
    | Commands
    | Delivered
    | SpentElsewhere
    | Retired
)
