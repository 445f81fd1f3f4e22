"""Every kind can run, and what the clock starts exists."""

import inspect
from datetime import UTC, datetime

import pytest

from actors.agents.clockwork import last_fire
from actors.jobs.contract import Kind, QueuePolicy, Rate, Schedule
from actors.jobs.registry import load_policies
from cluster.settings import Settings
from db.events.service import DISPATCH_KIND
from db.exports import service as exports
from db.mail import service as mail
from tasks.registry import KINDS, REGISTRY, SCHEDULES
from tasks.runner import load_handler


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_its_handler_exists(kind: Kind) -> None:
    assert inspect.iscoroutinefunction(load_handler(kind))
    assert kind.timeout_s > 0
    assert kind.max_attempts >= 1


def test_names_are_unique_and_services_enqueue_known_kinds() -> None:
    assert len(REGISTRY.kinds) == len(KINDS)
    assert {DISPATCH_KIND, mail.KIND, exports.KIND} <= set(REGISTRY.kinds)
    assert REGISTRY.kinds[exports.KIND].mode == "task"


def test_what_runs_all_the_time_does_not_fill_the_log() -> None:
    often = {schedule.kind for schedule in SCHEDULES if 0 < schedule.every_s <= 60}
    assert often | {"jobs.probe"} <= {kind.name for kind in KINDS if not (kind.kept and kind.logged)}
    assert REGISTRY.kinds[mail.KIND].logged


def test_policies_can_be_kept_and_settings_bound_them() -> None:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    assert set(load_policies(REGISTRY, settings)) == {exports.QUEUE, "probe-limited"}
    slow = load_policies(REGISTRY, settings.model_copy(update={"mail_per_minute": 30}))
    assert slow[mail.QUEUE] == QueuePolicy(rate=Rate(30, per_s=60.0))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_its_kind_exists_and_its_time_can_be_read(schedule: Schedule) -> None:
    assert schedule.kind in REGISTRY.kinds
    assert bool(schedule.cron) != bool(schedule.every_s)
    assert last_fire(schedule, datetime.now(UTC)) <= datetime.now(UTC)
