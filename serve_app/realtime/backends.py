"""The realtime application with its real backends: the shards, and the database for permission callbacks."""

from actors.brokers import handle as brokers
from actors.metrics import handle as metrics
from actors.metrics.registry import ACTIVE_CONNECTIONS
from actors.sessions import handle as sessions
from cluster.settings import Settings
from db.session import Database
from serve_app.realtime.application import Backends, RealtimeApplication
from serve_app.realtime.hub import Hub


def build_application(settings: Settings) -> RealtimeApplication:
    """The application of a realtime replica."""
    database = Database.from_settings(settings, application_name="mobula-realtime")
    return RealtimeApplication(settings, connect, database=database)


def connect(hub: Hub) -> Backends:
    """Clients of the broker, session and metrics shards for one hub."""
    broker_client = brokers.connect(hub.boot_id, hub.channels)
    session_client = sessions.connect(hub.boot_id, hub)
    pusher = metrics.connect(hub.boot_id, before_push=lambda: ACTIVE_CONNECTIONS.set(hub.connections))

    async def start() -> None:
        await broker_client.start()
        await session_client.start()
        pusher.start()

    async def stop() -> None:
        await pusher.stop()
        await session_client.stop()
        await broker_client.stop()

    return Backends(broker_client, session_client, start, stop)
