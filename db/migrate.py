"""Migrations from code: the command, tests and processes that check their database's revision."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

ROOT = Path(__file__).resolve().parent.parent


def config(database_url: str | None = None) -> Config:
    """Alembic's configuration; without an address the settings decide, as for plain `alembic`."""
    settings = Config(ROOT / "alembic.ini")
    settings.set_main_option("script_location", str(ROOT / "db" / "migrations"))
    if database_url is not None:
        settings.attributes["database_url"] = database_url
    return settings


def upgrade(database_url: str | None = None, revision: str = "head") -> None:
    """Migrate forward. Runs its own event loop: from a coroutine, call it through `asyncio.to_thread`."""
    command.upgrade(config(database_url), revision)


def downgrade(database_url: str | None, revision: str) -> None:
    """Migrate back to `revision` (`base`: nothing left). Same caution as `upgrade`."""
    command.downgrade(config(database_url), revision)


def check(database_url: str | None = None) -> None:
    """Raise when models and database differ. Same caution as `upgrade`."""
    command.check(config(database_url))


def head() -> str:
    """The newest revision in this checkout."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    if revision is None:
        raise ValueError("there are no revisions")
    return revision


async def current(session: AsyncSession) -> str | None:
    """The revision that the database is at; None before the first."""
    if await session.scalar(text("SELECT to_regclass('public.alembic_version')")) is None:
        return None
    revision: str | None = await session.scalar(text("SELECT version_num FROM public.alembic_version"))
    return revision
