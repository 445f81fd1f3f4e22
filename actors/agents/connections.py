"""What an agent's process holds open. Imported by that process alone: whoever only creates agents needs none of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from actors.agents import effects
from actors.brokers import handle as brokers
from actors.brokers.client import Brokers
from actors.brokers.contract import PublishRequest
from actors.caches import handle as caches
from actors.caches.client import Cache
from actors.jobs.contract import Schedule
from cluster.settings import Settings
from db.jobs import cron
from db.jobs.queue import NewJob
from db.session import Database

POOL_SIZE: Final = 3
POOL_OVERFLOW: Final = 5
"""Inline jobs of one node share these; more of them at once wait for a connection rather than exhaust the server."""


@dataclass(frozen=True, slots=True)
class Connections:
    """The database and the shards, as an agent uses them."""

    database: Database
    brokers: Brokers
    cache: Cache

    @classmethod
    async def open(cls, settings: Settings, node: str) -> "Connections":
        """Connect, and follow up what the transactions of inline jobs record."""
        database = Database(
            settings.asyncpg_dsn,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
            application_name=f"mobula-agent:{node[:8]}",
        )
        boot_id = uuid4().hex
        opened = cls(database, brokers.connect(boot_id), caches.connect(boot_id))
        await opened.brokers.start()
        await opened.cache.start()
        effects.register(database, cache=opened.cache)
        return opened

    async def fire(self, schedule: Schedule, fire_at: datetime) -> None:
        """Enqueue what a schedule asks for; once, however many agents fire it."""
        # Unique while alive: a run that takes longer than its interval is not joined by a second one.
        job = NewJob(schedule.kind, schedule.args, queue=schedule.queue, unique_key=f"cron:{schedule.name}")
        async with self.database.transaction() as session:
            await cron.fire(session, schedule.name, fire_at, job)

    async def publish(self, channel: str, data: bytes) -> None:
        """Publish to a channel."""
        await self.brokers.publish(PublishRequest(channel=channel, data=data, publication_id=uuid4().hex))
