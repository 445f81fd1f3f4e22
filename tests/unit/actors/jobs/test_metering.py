"""What is counted of jobs."""

from uuid import uuid4

import pytest

from actors.jobs import metering
from actors.jobs.contract import Kind
from actors.jobs.policy import UNKNOWN_KIND
from actors.metrics.registry import REGISTRY
from db.jobs.store import Finish, Release

TOKEN = (uuid4(), uuid4(), 1)
KIND = Kind(name="test.metering", handler="x:y")


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("item", "outcome"),
    [
        (Finish(*TOKEN, state="succeeded"), "succeeded"),
        (Finish(*TOKEN, state="failed"), "failed"),
        (Finish(*TOKEN, state="cancelled"), "cancelled"),
        (Release(*TOKEN, delay_s=1.0), "retried"),
        (Release(*TOKEN, delay_s=0.0, counted=False), "given_back"),
    ],
)
def test_every_end_counts_as_what_it_was(item: Finish | Release, outcome: str) -> None:
    before = sample("job_attempts_total", kind=KIND.name, outcome=outcome)
    metering.ended(KIND, item, 10.0, 12.5)
    assert sample("job_attempts_total", kind=KIND.name, outcome=outcome) == before + 1


def test_durations_are_from_handing_out_to_the_end() -> None:
    count, total = "job_attempt_duration_seconds_count", "job_attempt_duration_seconds_sum"
    before = sample(count, kind=KIND.name), sample(total, kind=KIND.name)
    metering.ended(KIND, Finish(*TOKEN, state="succeeded"), 10.0, 12.5)
    metering.ended(KIND, Finish(*TOKEN, state="succeeded"), None, 99.0)
    assert (sample(count, kind=KIND.name), sample(total, kind=KIND.name)) == (before[0] + 1, before[1] + 2.5)


def test_kinds_that_nobody_registered_share_a_name() -> None:
    before = sample("job_wait_seconds_count", kind="unknown")
    metering.started(UNKNOWN_KIND, 0.3)
    assert sample("job_wait_seconds_count", kind="unknown") == before + 1
