"""`python -m db.seed` refuses where it must not run."""

import pytest

from cluster.settings import Settings
from db.seed import __main__ as entry


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"environment": "production"}, "production"), ({"database_url": ""}, "mobula up")],
)
def test_it_says_why_it_does_nothing(
    settings: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(entry, "get_settings", lambda: Settings(_env_file=None, **settings))  # type: ignore[arg-type,call-arg]
    monkeypatch.setattr(entry, "seed", lambda *_, **__: pytest.fail("it must not seed"))
    assert entry.main(["--scale", "small"]) == 1
    assert reason in capsys.readouterr().err


def test_an_unknown_scale_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        entry.main(["--scale", "galactic"])
    assert "galactic" in capsys.readouterr().err


@pytest.mark.parametrize(("found", "status"), [([], 0), (["ada@mobula.localhost"], 1)])
def test_production_is_refused_with_demo_accounts(
    found: list[str], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    settings = Settings(_env_file=None, environment="production", database_url=url)  # type: ignore[arg-type,call-arg]
    monkeypatch.setattr(entry, "get_settings", lambda: settings)
    monkeypatch.setattr(entry, "demo_accounts", lambda dsn: found if dsn == url else None)
    monkeypatch.setattr(entry, "seed", lambda *_, **__: pytest.fail("it must not seed"))
    assert entry.main(["--refuse-demo"]) == status
    assert ("ada@mobula.localhost" in capsys.readouterr().err) is bool(found)
