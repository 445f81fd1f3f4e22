"""The realtime application with its real backends: the shards, and the database for permission callbacks."""

from collections.abc import Sequence

from actors.brokers import handle as brokers
from actors.brokers.contract import ClientInfo
from actors.jobs import handle as jobs
from actors.metrics import handle as metrics
from actors.metrics.registry import ACTIVE_CONNECTIONS, HAPROXY_PROCESSES, OLD_HAPROXY_CONNECTIONS, SHARED_POLL_KEYS
from actors.sessions import handle as sessions
from cluster.paths import Paths
from cluster.ray_runtime import generations
from cluster.settings import Settings, get_settings
from cluster.stack import budget
from db.session import Database
from db.session_events.service import QUEUE
from db.session_events.store import Departed, RosterStore
from serve_app.realtime.application import Backends, RealtimeApplication
from serve_app.realtime.counts import COUNTS
from serve_app.realtime.hub import Hub
from serve_app.realtime.roster import Roster
from serve_app.realtime.roster_writer import RosterWriter


def build_application(settings: Settings) -> RealtimeApplication:
    """The application of a realtime replica."""
    database = Database.from_settings(settings, application_name="mobula-realtime", most=budget.REALTIME_POOL)
    return RealtimeApplication(settings, connect, database=database)


def connect(hub: Hub) -> Backends:
    """Clients of the broker, session and metrics shards for one hub."""
    broker_client = brokers.connect(hub.boot_id, hub.channels)
    session_client = sessions.connect(hub.boot_id, hub)
    settings = get_settings()
    records = generations.directory(Paths(settings.mobula_home))

    def measure() -> None:
        ACTIVE_CONNECTIONS.set(hub.connections)
        COUNTS.publish()
        SHARED_POLL_KEYS.set(hub.polls.keys)
        living = generations.living(records)
        HAPROXY_PROCESSES.set(len(living))
        OLD_HAPROXY_CONNECTIONS.set(hub.retirement.old(living))

    pusher = metrics.connect(hub.boot_id, before_push=measure)
    writer = RosterWriter(
        hub.boot_id,
        RosterStore(settings.asyncpg_dsn, application_name="mobula-roster"),
        standing=lambda: roster.standing(hub.peers),
        on_departed=lambda boot, who: broker_client.departed(boot, by_channel(who)),
        wake=lambda: jobs.wake([QUEUE]),
    )
    roster = hub.channels.roster = Roster(writer, hub.env.wall)

    async def start() -> None:
        await broker_client.start()
        await session_client.start()
        pusher.start()
        await writer.start()

    async def stop() -> None:
        await writer.stop()
        await pusher.stop()
        await session_client.stop()
        await broker_client.stop()

    return Backends(broker_client, session_client, start, stop, brokers.agree_on_rules)


def by_channel(who: Sequence[Departed]) -> dict[str, list[ClientInfo]]:
    """Who left, by channel."""
    found: dict[str, list[ClientInfo]] = {}
    for gone in who:
        found.setdefault(gone.channel, []).append(ClientInfo(gone.user, gone.client, gone.conn_info, gone.chan_info))
    return found
