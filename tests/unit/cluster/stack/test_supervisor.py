from pathlib import Path

import pytest

from cluster import secrets
from cluster.services.postgres import EmbeddedPostgres
from cluster.services.valkey import EmbeddedValkey
from cluster.stack import applications
from cluster.stack.plan import Options, make
from cluster.stack.progress import Event, Progress
from cluster.stack.supervisor import Stack

CLEAN = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cluster.stack.plan.DOTENV", tmp_path / "no.env")


def test_fresh_deletes_exports_and_data_and_only_then_keeps_the_new_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    before = make(Options(home=home), CLEAN).secrets
    elsewhere = tmp_path / "elsewhere"
    plan = make(Options(home=home, fresh=True), {**CLEAN, "EXPORT_DIR": str(elsewhere)})
    data = plan.paths.exports / "an-export" / "data"
    data.mkdir(parents=True)
    (data / "orders-part-00000-1.parquet").write_text("rows")
    (plan.paths.exports / "notes").write_text("x")
    (plan.paths.build / "seeded").write_text("x")
    wiped: list[str] = []

    def wipe(service: EmbeddedPostgres | EmbeddedValkey) -> None:
        assert secrets.ensure(plan.paths.secrets) == before
        wiped.append(type(service).__name__)

    monkeypatch.setattr(EmbeddedPostgres, "wipe", wipe)
    monkeypatch.setattr(EmbeddedValkey, "wipe", wipe)
    events: list[Event] = []
    Stack(plan, Progress(events.append))._wipe()
    assert wiped == ["EmbeddedPostgres", "EmbeddedValkey"]
    assert list(plan.paths.exports.iterdir()) == []
    assert not (plan.paths.build / "seeded").exists()
    assert secrets.ensure(plan.paths.secrets) == plan.secrets
    assert f"EXPORT_DIR {elsewhere} keeps its files" in events[-1].text


@pytest.mark.parametrize(("production", "asked"), [(True, ["alembic", "db.seed"]), (False, ["alembic"])])
def test_production_looks_for_demo_accounts_once_the_schema_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, production: bool, asked: list[str]
) -> None:
    ran: list[str] = []

    def run_module(module: str, arguments: list[str], env: dict[str, str], log_file: Path) -> str:
        ran.append(module)
        assert module == "alembic" or arguments == ["--refuse-demo"]
        return ""

    monkeypatch.setattr(applications, "run_module", run_module)
    stack = Stack(make(Options(home=tmp_path / "home", production=production), CLEAN), Progress())
    stack._migrate()
    assert ran == asked
