"""After a new first key everything is written again; what has no key is reported."""

from pydantic import SecretStr

from db.auth import second_factor
from db.auth.sealing import Sealer
from tasks.maintenance import reseal
from tasks.runner import JobRunner
from tests.factories.auth import make_user
from tests.fixtures.jobs import Bench
from tests.fixtures.transactions import in_transaction

OLD, NEW = "an older key of these tests", "a newer key of these tests"


async def test_goes_on_until_nothing_is_left(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr(reseal, "BATCH", 2)
    for _ in range(5):
        user = await in_transaction(bench.database, lambda s: make_user(s))
        await in_transaction(
            bench.database,
            lambda s, u=user: second_factor.begin_enrolment(s, Sealer([OLD]), u.id),
        )
    for keys, result in (
        (NEW, {"resealed": 0, "unreadable": 2}),
        (f"{NEW}, {OLD}", {"resealed": 5, "unreadable": 0}),
        (NEW, {"resealed": 0, "unreadable": 0}),
    ):
        bench.runner = JobRunner(bench.settings.model_copy(update={"encryption_key": SecretStr(keys)}), bench.database)
        await bench.enqueue("maintenance.reseal", {})
        (job,) = [job for job in await bench.claim() if job.kind == "maintenance.reseal"]
        outcome = await bench.run(job)
        assert outcome.state == "succeeded", outcome.error
        assert outcome.result == result
        await bench.settle(job, outcome)
