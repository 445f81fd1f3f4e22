"""From what realtime processes answer to what operators read."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from serve_app.links import action, self_link
from serve_app.realtime import questions as ask
from serve_app.realtime_inspection import schemas
from serve_app.security.principal import Principal


def node(report: ask.NodeReport) -> schemas.RealtimeNode:
    """A process."""
    return schemas.RealtimeNode(
        node=report.hub,
        name=report.name,
        connections=report.connections,
        users=report.users,
        subscriptions=report.subscriptions,
        channels=report.channels,
        uptime_s=report.uptime_s,
        cpu_percent=report.cpu_percent,
        rss_bytes=report.rss_bytes,
        transports=report.transports,
    )


def connection(held: ask.HeldConnection, principal: Principal) -> schemas.RealtimeConnection:
    """A connection, with what this operator may do about it."""
    path = f"/realtime/connections/{held.client}"
    links = self_link(path)
    if principal.may("realtime:admin"):
        links["close"] = action(path, "DELETE")
    return schemas.RealtimeConnection(
        client=held.client,
        user=held.user,
        session=held.session,
        node=held.hub,
        state=held.state,
        transport=held.transport,
        name=held.name,
        version=held.version,
        opened_at=_time(held.opened_ms / 1000),
        expires_at=_optional(held.expires_at),
        queue_bytes=held.queue_bytes,
        commands=held.commands,
        channel_count=held.channel_count,
        channels=[
            schemas.HeldChannel(
                channel=channel.channel,
                state=channel.state,
                server_side=channel.server_side,
                positioned=channel.positioned,
                expires_at=_optional(channel.expires_at),
            )
            for channel in held.channels
        ],
        traced=held.traced,
        frames=held.frames if principal.may("realtime:admin") else [],
        links=links,
    )


def ending(ended: ask.Ending) -> schemas.EndedConnection:
    """How a connection ended."""
    return schemas.EndedConnection(
        client=ended.client,
        user=ended.user,
        session=ended.session,
        node=ended.hub,
        transport=ended.transport,
        opened_at=_time(ended.opened_ms / 1000),
        ended_at=_time(ended.ended_ms / 1000),
        code=ended.code,
        reason=ended.reason,
        queue_bytes=ended.queue_bytes,
    )


def trace(order: ask.StartTrace, nodes: Sequence[str], connections: int) -> schemas.RealtimeTrace:
    """A trace."""
    path = f"/realtime/traces/{order.id}"
    return schemas.RealtimeTrace(
        id=order.id,
        trace_channel=ask.TRACE_PREFIX + order.id,
        user=order.user or None,
        client=order.client or None,
        channel=order.channel or None,
        seconds=order.seconds,
        frames=order.frames,
        nodes=sorted(nodes),
        connections=connections,
        links=self_link(path) | {"stop": action(path, "DELETE")},
    )


def traces(reports: Iterable[ask.TraceReport]) -> list[schemas.RealtimeTrace]:
    """The traces of all processes, each once."""
    found: dict[str, list[ask.TraceReport]] = {}
    for report in reports:
        found.setdefault(report.order.id, []).append(report)
    return [
        trace(parts[0].order, [part.hub for part in parts], sum(part.connections for part in parts))
        for _, parts in sorted(found.items())
    ]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _optional(seconds: float | None) -> datetime | None:
    return None if seconds is None else _time(seconds)
