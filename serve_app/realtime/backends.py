"""The realtime application with its real backends: the shards, and the database for permission callbacks."""

from actors.brokers import handle as brokers
from actors.brokers.contract import ChannelSink
from actors.sessions import handle as sessions
from actors.sessions.contract import SessionSink
from cluster.settings import Settings
from db.session import Database
from serve_app.realtime.application import Backends, RealtimeApplication


def build_application(settings: Settings) -> RealtimeApplication:
    """The application of a realtime replica."""
    database = Database.from_settings(settings, application_name="mobula-realtime")
    return RealtimeApplication(settings, connect, database=database)


def connect(boot_id: str, channels: ChannelSink, users: SessionSink) -> Backends:
    """Clients of the broker and session shards for one hub."""
    broker_client = brokers.connect(boot_id, channels)
    session_client = sessions.connect(boot_id, users)

    async def start() -> None:
        await broker_client.start()
        await session_client.start()

    async def stop() -> None:
        await session_client.stop()
        await broker_client.stop()

    return Backends(broker_client, session_client, start, stop)
