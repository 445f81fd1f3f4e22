"""The seed command: fill an empty database, once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
from passlib.hash import argon2  # type: ignore[attr-defined]
from sqlalchemy import select, text

from cluster.settings import get_settings
from db.auth.hashing import UNUSABLE
from db.auth.models import User
from db.seed.people import DEMO_PEOPLE
from db.seed.scales import SCALES
from db.seed.writer import TABLES, Writer
from db.session import Database

SEED_LOCK = 7_306_202
"""Advisory lock: two seeds at once would both find the database empty."""


@dataclass(frozen=True, slots=True)
class SeedReport:
    """What a seed did. `seeded` False: data was there already, and nothing was changed."""

    scale: str
    seeded: bool
    counts: dict[str, int] = field(default_factory=dict)
    demo_emails: tuple[str, ...] = tuple(person.email for person in DEMO_PEOPLE)

    @property
    def summary(self) -> str:
        """One line for people."""
        if not self.seeded:
            return "The database has data already; nothing was changed (--fresh starts over)."
        rows = sum(self.counts.values())
        return f"Seeded {rows:,} rows ({self.scale}): " + ", ".join(
            f"{count:,} {table.split('.')[1]}" for table, count in self.counts.items()
        )


def seed(
    database_url: str,
    scale: str = "small",
    demo_password_hash_factory: Callable[[], str] | None = None,
    *,
    fresh: bool = False,
    progress: Callable[[str], object] | None = None,
) -> SeedReport:
    """Fill the database with demo data, unless it has any. Runs its own event loop.

    The factory gives the hash of the demo accounts' one password, and is called only when there is something to seed;
    without it the configured DEMO_PASSWORD is hashed, and without that nobody can sign in as a demo account. `fresh`
    deletes all business data first. Everything happens in one transaction: there is never half a seed.
    """
    return asyncio.run(seed_async(database_url, scale, demo_password_hash_factory, fresh=fresh, progress=progress))


async def seed_async(
    database_url: str,
    scale: str = "small",
    demo_password_hash_factory: Callable[[], str] | None = None,
    *,
    fresh: bool = False,
    progress: Callable[[str], object] | None = None,
    until: datetime | None = None,
) -> SeedReport:
    """`seed` for callers inside an event loop. `until` is when history ends: same moment, same data."""
    size = SCALES[scale]
    database = Database(database_url, pool_size=1, max_overflow=0, application_name="mobula-seed")
    try:
        async with database.transaction() as session:
            await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SEED_LOCK})
            await session.execute(text("SET LOCAL statement_timeout = 0"))
            # A crash loses the seed, not the server's other data; and it can simply be run again.
            await session.execute(text("SET LOCAL synchronous_commit = off"))
            if fresh:
                await session.execute(
                    text("TRUNCATE auth.users, app.categories, app.products, app.events, app.domain_events CASCADE")
                )
            elif await session.scalar(
                text("SELECT EXISTS (SELECT 1 FROM auth.users) OR EXISTS (SELECT 1 FROM app.products)")
            ):
                return SeedReport(scale, seeded=False)
            # An ANALYZE that comes from outside, such as autovacuum's, sees none of our rows and says that the tables
            # are empty. Postgres then checks foreign keys by reading whole tables, row after row, and a seed of
            # seconds takes hours. This lock keeps it away, and nobody who reads or writes.
            await session.execute(text(f"LOCK TABLE {', '.join(TABLES)} IN SHARE UPDATE EXCLUSIVE MODE"))
            factory = demo_password_hash_factory or _hash_configured_password
            connection = (await (await session.connection()).get_raw_connection()).driver_connection
            if not isinstance(connection, asyncpg.Connection):
                raise TypeError("seeding writes by COPY and needs an asyncpg connection")
            writer = Writer(
                connection, size, until or datetime.now(UTC), await asyncio.to_thread(factory), progress or _be_quiet
            )
            await writer.write()
        return SeedReport(scale, seeded=True, counts=writer.counts)
    finally:
        await database.dispose()


def demo_accounts(database_url: str) -> list[str]:
    """E-mail addresses of demo accounts that can sign in. Runs its own event loop."""
    return asyncio.run(demo_accounts_async(database_url))


async def demo_accounts_async(database_url: str) -> list[str]:
    """`demo_accounts` for callers inside an event loop."""
    database = Database(database_url, pool_size=1, max_overflow=0, application_name="mobula-seed")
    try:
        async with database.transaction(read_only=True) as session:
            found = await session.scalars(
                select(User.email)
                .where(
                    User.email.in_([person.email for person in DEMO_PEOPLE]),
                    User.is_active,
                    User.deleted_at.is_(None),
                    User.password_hash != UNUSABLE,
                )
                .order_by(User.email)
            )
            return list(found)
    finally:
        await database.dispose()


def _hash_configured_password() -> str:
    settings = get_settings()
    password = settings.demo_password.get_secret_value()
    if not password:
        return UNUSABLE
    scheme: Any = argon2.using(  # type: ignore[no-untyped-call]
        type="ID", memory_cost=settings.argon2_memory_kib, time_cost=settings.argon2_time_cost, parallelism=1
    )
    return str(scheme.hash(password))


def _be_quiet(_: str) -> None:
    """Nobody is watching."""
