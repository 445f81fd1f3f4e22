"""The realtime application with its real backends: the shards, and the database for permission callbacks."""

from actors.brokers import handle as brokers
from actors.metrics import handle as metrics
from actors.metrics.registry import ACTIVE_CONNECTIONS, HAPROXY_PROCESSES, OLD_HAPROXY_CONNECTIONS
from actors.sessions import handle as sessions
from cluster.paths import Paths
from cluster.ray_runtime import generations
from cluster.settings import Settings, get_settings
from db.session import Database
from serve_app.edge.generations import Retirement
from serve_app.realtime.application import Backends, RealtimeApplication
from serve_app.realtime.counts import COUNTS
from serve_app.realtime.hub import Hub


def build_application(settings: Settings) -> RealtimeApplication:
    """The application of a realtime replica."""
    database = Database.from_settings(settings, application_name="mobula-realtime")
    return RealtimeApplication(settings, connect, database=database)


def connect(hub: Hub) -> Backends:
    """Clients of the broker, session and metrics shards for one hub."""
    broker_client = brokers.connect(hub.boot_id, hub.channels)
    session_client = sessions.connect(hub.boot_id, hub)
    records = generations.directory(Paths(get_settings().mobula_home))
    retirement = Retirement(hub, lambda: generations.living(records))

    def measure() -> None:
        ACTIVE_CONNECTIONS.set(hub.connections)
        COUNTS.publish()
        HAPROXY_PROCESSES.set(retirement.processes)
        OLD_HAPROXY_CONNECTIONS.set(retirement.old_sockets)

    pusher = metrics.connect(hub.boot_id, before_push=measure)

    async def start() -> None:
        await broker_client.start()
        await session_client.start()
        pusher.start()
        retirement.start()

    async def stop() -> None:
        await retirement.stop()
        await pusher.stop()
        await session_client.stop()
        await broker_client.stop()

    return Backends(broker_client, session_client, start, stop, brokers.agree_on_rules)
