"""From what realtime processes answer to what operators read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from actors.hosts.survey import HostProcess
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
        info=_info(held.info),
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
                epoch=channel.epoch,
                offset=channel.offset,
            )
            for channel in held.channels
        ],
        traced=held.traced,
        frames=held.frames if principal.may("realtime:admin") else [],
        links=links,
    )


def ending(ended: ask.Ending, principal: Principal) -> schemas.EndedConnection:
    """How a connection ended."""
    return schemas.EndedConnection(
        client=ended.client,
        user=ended.user,
        info=_info(ended.info),
        session=ended.session,
        node=ended.hub,
        transport=ended.transport,
        opened_at=_time(ended.opened_ms / 1000),
        ended_at=_time(ended.ended_ms / 1000),
        code=ended.code,
        reason=ended.reason,
        queue_bytes=ended.queue_bytes,
        frames=list(ended.frames) if principal.may("realtime:admin") else [],
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


def rules(reports: Iterable[ask.NamespacesReport]) -> list[schemas.RealtimeRules]:
    """The rules of all processes, those that are the same once."""
    found: dict[tuple[str, tuple[str, ...]], list[ask.NamespacesReport]] = {}
    for report in reports:
        found.setdefault((report.version, tuple(report.mistakes)), []).append(report)
    return [
        schemas.RealtimeRules(
            version=version,
            nodes=sorted(report.hub for report in same),
            items=[
                schemas.RealtimeNamespace(name=name, options=options) for name, options in same[0].namespaces.items()
            ],
            mistakes=list(mistakes),
        )
        for (version, mistakes), same in sorted(found.items())
    ]


def shard_process(process: HostProcess, buckets: Mapping[int, int]) -> schemas.ShardProcess:
    """A process that hosts shards. `buckets`: broker shard → how many it owns; empty when nobody says."""
    report = process.report
    if report is None:
        return schemas.ShardProcess(
            host=process.host,
            side=process.side,
            state="silent",
            pid=None,
            node="",
            incarnation="",
            lease_s=None,
            shards=[],
        )
    return schemas.ShardProcess(
        host=process.host,
        side=process.side,
        state="active" if report.active else "standby",
        pid=report.pid,
        node=report.node,
        incarnation=report.incarnation,
        lease_s=report.lease_s,
        shards=[_shard(name, ready=ready, buckets=buckets) for name, ready in report.ready.items()],
    )


def _shard(name: str, *, ready: bool, buckets: Mapping[int, int]) -> schemas.RealtimeShard:
    kind, _, number = name.partition("/")
    owned = buckets.get(int(number), 0) if kind == "brokers" and buckets else None
    return schemas.RealtimeShard(kind=kind, shard=int(number), ready=ready, buckets=owned)


def _info(raw: bytes) -> Any:
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        return None


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _optional(seconds: float | None) -> datetime | None:
    return None if seconds is None else _time(seconds)
