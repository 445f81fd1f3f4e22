import pytest

from cluster.cli import testing
from tests.fixtures.command import MobulaCommand


def test_an_unknown_tier_is_refused_with_the_known_ones(mobula: MobulaCommand) -> None:
    shown = mobula.run("test", "smoke")
    assert shown.exit_code == 2
    assert "unit, integration, cluster, e2e" in shown.output


def test_every_tier_runs_in_order_and_one_failure_fails_all(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    ran: list[str] = []

    def tier(name: str, *_: object) -> list[testing.Result]:
        ran.append(name)
        return [testing.Result(name, name != "integration", 0.0)]

    monkeypatch.setattr(testing, "_run_tier", tier)
    shown = mobula.run("test")
    assert ran == ["unit", "integration", "cluster", "e2e"]
    assert shown.exit_code == 1
    assert "tests failed: integration" in shown.output
    ran.clear()
    assert mobula.run("test", "e2e", "unit").exit_code == 0
    assert ran == ["unit", "e2e"]


def test_the_core_is_held_to_its_floor_only_when_all_of_it_was_measured(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    floors: list[bool] = []

    def coverage(*, floor: bool) -> list[testing.Result]:
        floors.append(floor)
        return [testing.Result("core coverage", not floor, 0.0)]

    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(testing, "_run_tier", lambda name, *_: [testing.Result(name, True, 0.0)])
    monkeypatch.setattr(testing, "_coverage", coverage)
    assert mobula.run("test").exit_code == 1
    assert mobula.run("test", "unit").exit_code == 0
    assert mobula.run("test", "-k", "orders").exit_code == 0
    assert floors == [True, False, False]
