"""Alembic's entry: `alembic upgrade head` from the checkout, or through `db.migrate` with a given address."""

import asyncio
import re
from typing import Any

import asyncpg
from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import create_async_engine

from cluster.settings import get_settings
from db.base import SCHEMAS
from db.caches.models import Xid8
from db.migrations.operations import DEPENDS_ON_SERVER
from db.models import metadata

PARTITION = re.compile(r"^(events_(\d{4}_\d{2}|default)|history_(\d{8}|default))$")

LOCK_TIMEOUT_MS = 30_000
"""A migration that waits for a lock blocks everybody behind it; better it fails and is run again."""


ischema_names.setdefault("xid8", Xid8)  # SQLAlchemy cannot reflect it by itself, and warns


def include_name(name: str | None, kind: str, parents: Any) -> bool:
    """Only our schemas; Alembic would offer to drop everything else."""
    return name in SCHEMAS if kind == "schema" else True


def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave out what models do not declare: partitions, and indexes that depend on the server's extensions."""
    if name is None or not reflected:
        return True
    if kind == "table":
        return not PARTITION.match(name)
    return not (kind == "index" and name.startswith(DEPENDS_ON_SERVER))


def configure(**kwargs: Any) -> None:
    context.configure(
        target_metadata=metadata,
        include_schemas=True,
        include_name=include_name,
        include_object=include_object,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        **kwargs,
    )


def run(connection: Connection) -> None:
    configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    try:
        url = context.config.attributes.get("database_url") or get_settings().asyncpg_dsn
    except ValueError as error:
        raise SystemExit(str(error)) from error
    dsn = url.replace("postgresql+asyncpg://", "postgresql://", 1)

    async def connect(*_: Any, **__: Any) -> Any:
        return await asyncpg.connect(
            dsn, server_settings={"application_name": "mobula-migrate", "lock_timeout": str(LOCK_TIMEOUT_MS)}
        )

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("these migrations ask the server what it offers: run them against a database (no --sql)")
asyncio.run(run_online())
