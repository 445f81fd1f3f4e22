"""Jobs over HTTP."""

from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from db.exports import service as exports
from db.jobs.queue import enqueue
from tests.fixtures.client import Api, SignIn, assert_problem

JOBS = "/api/v1/jobs"


async def add(api: Api, kind: str = "k", key: str | None = None) -> UUID:
    async with api.database.transaction() as session:
        await session.execute(text("TRUNCATE jobs.jobs, jobs.queue"))
        return await enqueue(session, kind, {"n": 1}, queue="q", key=key)


async def test_an_operator_looks_cancels_and_runs_again(api: Api, operator_client: httpx.AsyncClient) -> None:
    job_id = await add(api, key="acme")
    listed = await operator_client.get(JOBS, params={"state": "ready"})
    assert listed.status_code == 200, listed.text
    assert [item["id"] for item in listed.json()["items"]] == [str(job_id)]
    assert listed.headers["x-total-count"] == "1"

    job = (await operator_client.get(f"{JOBS}/{job_id}")).json()
    assert (job["state"], job["kind"], job["args"], job["key"]) == ("ready", "k", {"n": 1}, "acme")
    assert set(job["_links"]) == {"self", "cancel"}

    cancelled = await operator_client.post(job["_links"]["cancel"]["href"])
    assert (cancelled.json()["state"], cancelled.json()["key"]) == ("cancelled", "acme")
    assert set(cancelled.json()["_links"]) == {"self", "retry"}
    assert_problem(await operator_client.post(job["_links"]["cancel"]["href"]), 409, "job_finished")

    again = await operator_client.post(cancelled.json()["_links"]["retry"]["href"])
    assert again.status_code == 201
    assert again.headers["location"] == f"{JOBS}/{again.json()['id']}"
    assert again.json()["id"] != str(job_id)
    assert again.json()["key"] == "acme"
    assert api.woken.made[-2:] == [[("q", "acme")]] * 2  # enqueued by the test, enqueued anew


async def test_an_analyst_only_looks_and_a_customer_does_not(api: Api, sign_in: SignIn) -> None:
    job_id = await add(api)
    analyst, customer = await sign_in(roles=("analyst",)), await sign_in()
    seen = await analyst.http.get(f"{JOBS}/{job_id}")
    assert set(seen.json()["_links"]) == {"self"}
    assert_problem(await analyst.http.post(f"{JOBS}/{job_id}/cancel"), 403, "permission_denied")
    for path in (JOBS, f"{JOBS}/{job_id}"):
        assert_problem(await customer.http.get(path), 403, "permission_denied")
    assert_problem(await api.client().get(JOBS), 401, "authentication_required")


@pytest.mark.parametrize("verb", ["", "/cancel", "/retry"])
async def test_unknown_jobs(operator_client: httpx.AsyncClient, verb: str) -> None:
    path = f"{JOBS}/{uuid4()}{verb}"
    assert_problem(await (operator_client.post(path) if verb else operator_client.get(path)), 404, "job_not_found")


@pytest.mark.parametrize("params", [{"state": "asleep"}, {"page": 0}, {"limit": 1000}, {"colour": "red"}])
async def test_bad_filters(operator_client: httpx.AsyncClient, params: dict[str, str]) -> None:
    assert (await operator_client.get(JOBS, params=params)).status_code == 422


async def test_a_live_job_cannot_be_run_again(api: Api, operator_client: httpx.AsyncClient) -> None:
    assert_problem(await operator_client.post(f"{JOBS}/{await add(api)}/retry"), 409, "job_not_retryable")


async def test_an_export_ends_with_its_job_however_long_its_worker_hangs(
    api: Api, sign_in: SignIn, operator_client: httpx.AsyncClient
) -> None:
    person = await sign_in()
    async with api.database.transaction() as session:
        export = await exports.request_export(session, user_id=person.user.id, dataset="orders", format="csv")
        await session.execute(text("UPDATE jobs.queue SET state = 'running' WHERE id = :id"), {"id": export.job_id})
        await session.execute(text("UPDATE app.exports SET state = 'running'"))
    cancelled = await operator_client.post(f"{JOBS}/{export.job_id}/cancel")
    assert cancelled.status_code == 200, cancelled.text
    assert cancelled.json()["cancel_requested"] is True, "its worker is told, or ended"
    assert (await person.http.get(f"/api/v1/exports/{export.id}")).json()["state"] == "cancelled"
    assert (await operator_client.post(f"{JOBS}/{export.job_id}/cancel")).status_code == 200, "the job is still there"
    async with api.database.transaction(read_only=True) as session:
        told = await session.scalar(text("SELECT data->>'state' FROM app.outbox ORDER BY id DESC LIMIT 1"))
    assert told == "cancelled"


async def test_an_earlier_job_of_an_export_does_not_end_what_is_tried_again(
    api: Api, sign_in: SignIn, operator_client: httpx.AsyncClient
) -> None:
    person = await sign_in()
    async with api.database.transaction() as session:
        export = await exports.request_export(session, user_id=person.user.id, dataset="orders", format="csv")
    first = export.job_id
    assert (await operator_client.post(f"{JOBS}/{first}/cancel")).json()["state"] == "cancelled"
    again = UUID((await operator_client.post(f"{JOBS}/{first}/retry")).json()["id"])
    async with api.database.transaction() as session:
        await exports.begin(session, export.id, again)
    assert_problem(await operator_client.post(f"{JOBS}/{first}/cancel"), 409, "job_finished")
    assert (await person.http.get(f"/api/v1/exports/{export.id}")).json()["state"] == "queued"
    assert (await operator_client.post(f"{JOBS}/{again}/cancel")).json()["state"] == "cancelled"
    assert (await person.http.get(f"/api/v1/exports/{export.id}")).json()["state"] == "cancelled"


async def test_a_job_that_an_export_has_not_begun_with_is_cancelled_itself(
    api: Api, sign_in: SignIn, operator_client: httpx.AsyncClient
) -> None:
    person = await sign_in()
    async with api.database.transaction() as session:
        export = await exports.request_export(session, user_id=person.user.id, dataset="orders", format="csv")
        args = {"export_id": str(export.id)}
        waiting = await enqueue(session, exports.KIND, args, queue=exports.QUEUE)
    assert (await operator_client.post(f"{JOBS}/{waiting}/cancel")).json()["state"] == "cancelled"
    assert (await operator_client.get(f"{JOBS}/{export.job_id}")).json()["state"] == "ready"


async def test_a_job_of_an_export_that_is_gone_is_a_job(api: Api, operator_client: httpx.AsyncClient) -> None:
    async with api.database.transaction() as session:
        job_id = await enqueue(session, exports.KIND, {"export_id": str(uuid4())}, queue=exports.QUEUE)
    assert (await operator_client.post(f"{JOBS}/{job_id}/cancel")).json()["state"] == "cancelled"
