"""Opening everything that an api replica needs, the actors included. The only module of REST that imports Ray."""

from uuid import uuid4

from actors.brokers import handle as brokers
from actors.brokers import resizing
from actors.caches import handle as caches
from actors.hosts import handle as hosts
from actors.hosts.survey import survey
from actors.jobs import handle as jobs
from actors.metrics import handle as metrics
from actors.sessions import handle as sessions
from cluster.settings import Settings
from db.session import Database
from serve_app.resources import ActorClients, Resources


async def open_resources(settings: Settings) -> Resources:
    """Connect to everything. Raises ValueError for a setting that is missing; a service that is down is found later."""
    database = Database.from_settings(settings, application_name="mobula-api")
    boot_id = uuid4().hex
    broker_client = brokers.connect(boot_id, None)
    session_client = sessions.connect(boot_id, None)
    cache_client = caches.connect(boot_id)
    resources = Resources.assemble(settings, database, boot_id=boot_id)
    resources.handlers.discover()
    pusher = metrics.connect(boot_id, before_push=resources.measure)
    clients = (broker_client, session_client, cache_client)

    async def check() -> None:
        """Every host answers, and every shard in it has started."""
        for index in range(settings.shard_hosts):
            report = await hosts.report(index)
            if missing := sorted(name for name, ready in report.ready.items() if not ready):
                raise RuntimeError(f"not ready: {', '.join(missing)}")

    async def start() -> None:
        for client in clients:
            await client.start()
        pusher.start()

    async def stop() -> None:
        await pusher.stop()
        for client in reversed(clients):
            await client.stop()

    resources.actors = ActorClients(
        brokers=broker_client,
        sessions=session_client,
        cache=cache_client,
        wake_jobs=jobs.wake,
        poke_channels=brokers.poke,
        merged_metrics=pusher.merged,
        survey_hosts=lambda: survey(settings.shard_hosts, hosts.sides(), hosts.report),
        bucket_owners=lambda: resizing.owners_of(brokers.call),
        check=check,
        start=start,
        stop=stop,
    )
    await resources.actors.start()
    return resources
