"""Links to the shards of one kind, over one way to call any of them."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from actors.links.link import Link

Up = TypeVar("Up")
Down = TypeVar("Down")
Received = TypeVar("Received")
Sent = TypeVar("Sent", contravariant=True)

ShardCall = Callable[[int, str, bytes, float], Awaitable[bytes]]
"""(shard, method, payload, timeout_s) → answer. Raises on any failure, at our own deadline at the latest."""


class LinkOwner(Protocol[Sent, Received]):
    """Who is told what happens on a link: see `Link`."""

    def on_items(self, items: list[Received], /) -> None:
        """A batch of the stream."""

    def on_attached(self, unsent: Sequence[Sent], /) -> None:
        """A new stream has begun."""

    def on_expired(self, operations: Sequence[Sent], /) -> None:
        """These waited too long to be sent."""

    def on_unsendable(self, operations: Sequence[Sent], /) -> None:
        """These have a value that cannot be encoded."""


def link_to(boot: str, shard: int, call: ShardCall, batch_type: Any, owner: LinkOwner[Up, Down]) -> Link[Up, Down]:
    """This process's link to one shard; `batch_type` is `Batch` of what comes down."""
    return Link(
        boot,
        partial(call, shard),
        batch_type,
        on_items=owner.on_items,
        on_attached=owner.on_attached,
        on_expired=owner.on_expired,
        on_unsendable=owner.on_unsendable,
    )
