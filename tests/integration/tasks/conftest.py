"""A bench to run handlers on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.settings import Settings
from db.session import Database
from tests.fixtures.jobs import Bench


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(  # type: ignore[call-arg]
        _env_file=None, database_url=database_url, environment="test", export_dir=tmp_path / "exports"
    )


@pytest.fixture
async def bench(database: Database, settings: Settings) -> AsyncIterator[Bench]:
    made = Bench(database, settings)
    await made.start()
    yield made
    await made.stop()
