"""What a committed transaction means to the rooms above. Services record them, upper rooms register handlers.

An effect is a shortcut: the rows (jobs, outbox, invalidations, revoked sessions) are the truth, and whoever owns them
finds them without the effect too, only later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

LOOK = ""
"""Among the names of queues that `enqueued` returns. No queue has it, and an owner that knows no such word finds
nothing in a queue of this name: while code is being replaced, both are there."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Base of all effects. Equal effects of one transaction reach a handler once."""


@dataclass(frozen=True, slots=True)
class JobsEnqueued(Effect):
    """Jobs without a key were added to these queues, and jobs with one to these (queue, key)."""

    queues: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    look: bool = False
    """A job was deferred, or is to be cancelled: the owner has to look at the table."""


def enqueued(effects: Sequence[JobsEnqueued]) -> list[str | tuple[str, str]]:
    """`LOOK` if one wants it, queues, then (queue, key), of all these effects."""
    queues = {queue for effect in effects for queue in effect.queues}
    keys = {line for effect in effects for line in effect.keys}
    look = [LOOK] if any(effect.look for effect in effects) else []
    return [*look, *sorted(queues), *sorted(keys)]


@dataclass(frozen=True, slots=True)
class CacheInvalidated(Effect):
    """Cached values under these keys, or made from these tags, are stale."""

    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PublicationsQueued(Effect):
    """The outbox holds publications for these channels."""

    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionsRevoked(Effect):
    """One login session of a user (or all, when `session_id` is None) ended: close its sockets."""

    user_id: UUID
    session_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TokensRevoked(Effect):
    """A realtime token, or a user's tokens issued before then (Unix ms), are void: close what they opened.

    `channel`: only the user's subscription tokens for it.
    """

    token_id: str = ""
    user: str = ""
    issued_before_ms: int = 0
    channel: str = ""


@dataclass(frozen=True, slots=True)
class UserBlocked(Effect):
    """A user may not connect until then (Unix ms), or, with 0, may again."""

    user: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class PositionRead(Effect):
    """A user has read a channel further than before. `number`: of the newest message read, in a conversation."""

    channel: str
    user: str
    epoch: str
    offset: int
    number: int = 0


@dataclass(frozen=True, slots=True)
class ChannelLeft(Effect):
    """A user does not belong to a channel any more: take it away from their open connections."""

    user: str
    channel: str


@dataclass(frozen=True, slots=True)
class UserMessaged(Effect):
    """A message, raw JSON, for every open connection of a user. No row holds it: who is away does not get it."""

    user: str
    data: bytes
