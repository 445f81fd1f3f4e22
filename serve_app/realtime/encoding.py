"""Between the broker's contract and the protocol's messages."""

from collections.abc import Sequence
from typing import Final

from actors.brokers import contract
from actors.protocol import frames

ANSWER_BYTES: Final = 4 * 1024 * 1024
"""Bytes of publications in one answer. More than a client may leave unread, which must be recoverable."""


def info_message(info: contract.ClientInfo) -> frames.ClientInfo:
    """Who, as a message."""
    return frames.ClientInfo(info.user, info.client, frames.raw(info.conn_info), frames.raw(info.chan_info))


def publication_message(publication: contract.Publication, *, with_epoch: bool = False) -> frames.Publication:
    """A publication as a message. The first one of a stream carries the epoch, so that clients learn it."""
    return frames.Publication(
        data=frames.raw(publication.data),
        info=info_message(publication.info) if publication.info is not None else None,
        offset=publication.offset,
        tags=dict(publication.tags) if publication.tags else {},
        time=publication.time_ms,
        key=publication.key,
        removed=publication.removed,
        score=publication.score,
        version=publication.version,
        epoch=publication.epoch if with_epoch or publication.offset == 1 else "",
    )


def is_excluded(publication: contract.Publication, client: str, user: str) -> bool:
    """Whether the publisher excluded this connection, by itself or by its user."""
    return client in publication.exclude_clients or user in publication.exclude_users


def fitting(publications: Sequence[contract.Publication], limit: int = ANSWER_BYTES) -> Sequence[contract.Publication]:
    """As many of the first publications as one answer may carry, or `limit` bytes; at least one."""
    size = 0
    for number, publication in enumerate(publications):
        size += len(publication.data)
        if size > limit and number:
            return publications[:number]
    return publications


def history_message(reply: contract.HistoryReply) -> frames.HistoryResult:
    """History as a message: a page may be shorter than was asked for."""
    return frames.HistoryResult(
        [publication_message(publication) for publication in fitting(reply.publications)],
        reply.position.epoch,
        reply.position.offset,
    )
