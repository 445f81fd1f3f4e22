from pathlib import Path

import pytest

from cluster.paths import Paths
from cluster.ports import Ports
from cluster.services.errors import ServiceError
from cluster.settings import Settings
from cluster.stack import frontend
from cluster.stack.frontend import Frontend
from cluster.stack.progress import Event, Progress

PORTS = Ports(8000, 3000, 20_000)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A front end whose npm is a script that writes down what it was asked."""
    folder = tmp_path / "frontend"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "page.tsx").write_text("one")
    (folder / "package-lock.json").write_text("{}")
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(
        "#!/bin/sh\n"
        f'echo "$1 $2" >> "{tmp_path}/calls"\n'
        f'if [ "$1" = ci ] && [ -e "{tmp_path}/broken-lock" ]; then echo EUSAGE; exit 1; fi\n'
        f'if [ "$1" = run ] && [ -e "{tmp_path}/broken-build" ]; then echo "Type error: x"; exit 1; fi\n'
        "mkdir -p node_modules .next/standalone\n"
        "touch .next/standalone/server.js\n"
    )
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")
    monkeypatch.setattr(frontend, "node_version", lambda: (20, 19))
    return folder


def page(project: Path, **env: str) -> Frontend:
    base = {"PATH": f"{project.parent / 'bin'}:/usr/bin:/bin", **env}
    paths = Paths(project.parent / "home")
    return Frontend(paths, PORTS, base, folder=project)


def calls(project: Path) -> list[str]:
    file = project.parent / "calls"
    return file.read_text().splitlines() if file.exists() else []


def test_installing_and_building_happen_once(project: Path) -> None:
    for _ in range(2):
        page(project).install(Progress())
        page(project).build(Progress())
    assert calls(project) == ["ci --no-audit", "run build"]


def test_a_changed_source_is_built_again_and_a_changed_lock_installed_again(project: Path) -> None:
    page(project).install(Progress())
    page(project).build(Progress())
    (project / "src" / "page.tsx").write_text("two")
    page(project).install(Progress())
    page(project).build(Progress())
    (project / "package-lock.json").write_text('{"name": "x"}')
    page(project).install(Progress())
    assert calls(project) == ["ci --no-audit", "run build", "run build", "ci --no-audit"]


def test_a_lock_without_other_platforms_is_installed_all_the_same(project: Path) -> None:
    (project.parent / "broken-lock").touch()
    events: list[Event] = []
    page(project).install(Progress(events.append))
    assert calls(project) == ["ci --no-audit", "install --no-save"]
    assert "other platforms" in events[-1].text


def test_a_build_that_fails_shows_its_log_and_is_not_remembered(project: Path) -> None:
    (project.parent / "broken-build").touch()
    with pytest.raises(ServiceError, match="Type error: x"):
        page(project).build(Progress())
    (project.parent / "broken-build").unlink()
    page(project).build(Progress())
    assert calls(project) == ["run build", "run build"]


def test_no_secret_reaches_node_or_npm_but_the_front_end_s_own_token(project: Path) -> None:
    """Every secret that Settings knows, also those that will be added, and what only the caller's shell holds."""
    secrets = {name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert {"DATABASE_URL", "REALTIME_SHARED_POLL_SECRET", "METRICS_TOKEN", "SENTRY_DSN", "FRONTEND_TOKEN"} <= secrets
    given = dict.fromkeys(secrets | {"RAY_AUTH_TOKEN_PATH", "AWS_SECRET_ACCESS_KEY"}, "hidden")
    found = page(
        project,
        **given,
        REALTIME_PUBLIC_URL="ws://y",
        ENVIRONMENT="production",
        LC_ALL="C.UTF-8",
        HTTPS_PROXY="http://proxy:1",
    )
    served, built = found._server_env, found._npm_env
    assert {name for name, value in served.items() if value == "hidden"} == {"FRONTEND_TOKEN"}
    assert {name for name, value in built.items() if value == "hidden"} == set()
    assert served["REALTIME_PUBLIC_URL"] == "ws://y"
    assert served["ENVIRONMENT"] == "production"
    assert served["MOBULA_API_ORIGIN"] == "http://127.0.0.1:8000"
    assert served["PORT"] == "3000"
    assert built["HTTPS_PROXY"] == "http://proxy:1"
    assert {"PATH", "LC_ALL"} <= served.keys() & built.keys()


def test_what_npm_starts_has_only_that(project: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "npm").write_text(f"#!/bin/sh\nenv > {tmp_path}/env\nmkdir -p node_modules\n")
    page(project, METRICS_TOKEN="hidden", MOBULA_CHECKOUT=str(tmp_path)).install(Progress())
    assert "hidden" not in (tmp_path / "env").read_text()
    assert f"MOBULA_CHECKOUT={tmp_path}" in (tmp_path / "env").read_text()
