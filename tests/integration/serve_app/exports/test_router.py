"""Exports over HTTP: request, follow, download."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select, update

from db.audit.models import AuditEntry
from db.auth import service as auth
from db.auth.models import User
from db.exports import service, storage
from db.jobs.store import ProgressNote
from tests.factories.orders import make_order
from tests.fixtures.client import Api, Person, SignIn, StartApi, assert_problem
from tests.fixtures.jobs import Bench

EXPORTS = "/api/v1/exports"


@pytest.fixture
async def api(start_api: StartApi, tmp_path: Path) -> Api:
    return await start_api(export_dir=tmp_path / "exports")


@pytest.fixture
async def bench(api: Api) -> AsyncIterator[Bench]:
    made = Bench(api.database, api.resources.settings)
    await made.start()
    yield made
    await made.stop()


async def export(person: Person, bench: Bench, **fields: Any) -> dict[str, Any]:
    asked = await person.http.post(EXPORTS, json={"dataset": "orders", "format": "csv"} | fields)
    assert asked.status_code == 202, asked.text
    await bench.drain()
    body: dict[str, Any] = (await person.http.get(asked.headers["location"])).json()
    return body


async def link(person: Person, made: dict[str, Any]) -> str:
    answer = await person.http.post(f"{EXPORTS}/{made['id']}/link")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


async def test_from_request_to_file(api: Api, sign_in: SignIn, bench: Bench) -> None:
    person, other = await sign_in(), await sign_in()
    async with api.database.transaction() as session:
        for owner in (person.user, person.user, other.user):
            await make_order(session, owner)
    asked = await person.http.post(EXPORTS, json={"dataset": "orders", "format": "csv"})
    assert asked.status_code == 202
    assert asked.json()["state"] == "queued"
    assert asked.json()["progress"] == {"rows": 0, "total": None, "percent": 0.0}
    assert set(asked.json()["_links"]) == {"self", "cancel"}
    assert [("exports", str(person.user.id))] in api.woken.made
    assert_problem(await person.http.post(f"{EXPORTS}/{asked.json()['id']}/link"), 409, "export_not_ready")

    await bench.drain()
    made = (await person.http.get(asked.headers["location"])).json()
    assert (made["state"], made["scope"], made["progress"]["percent"]) == ("succeeded", "own", 100.0)
    (file,) = made["files"]
    assert file["rows"] == made["manifest"]["total_rows"] == 2
    listed = (await person.http.get(EXPORTS)).json()
    assert [item["id"] for item in listed["items"]] == [made["id"]]

    url = await link(person, made)
    async with api.client() as anonymous:
        got = await anonymous.get(url)
    assert got.status_code == 200
    assert len(got.text.splitlines()) == 3
    assert got.headers["content-disposition"] == f'attachment; filename="{file["name"]}"'
    assert got.headers["etag"] == f'"{file["sha256"]}"'
    assert got.headers["content-type"].startswith("text/csv")
    assert got.headers["accept-ranges"] == "bytes"
    async with api.database.transaction() as session:
        (entry,) = (await session.scalars(select(AuditEntry).where(AuditEntry.action == "export.download"))).all()
    assert (entry.actor_id, entry.subject_id, entry.details["rows"]) == (person.user.id, made["id"], 2)


@pytest.mark.parametrize(
    ("format", "media_type"),
    [
        ("parquet", "application/vnd.apache.parquet"),
        ("arrow", "application/vnd.apache.arrow.file"),
        ("csv", "text/csv; charset=utf-8"),
        ("ndjson", "application/x-ndjson"),
    ],
)
async def test_every_format_is_downloaded_as_what_it_is(
    api: Api, sign_in: SignIn, bench: Bench, format: str, media_type: str
) -> None:
    person = await sign_in()
    made = await export(person, bench, format=format)
    assert (made["format"], made["state"]) == (format, "succeeded")
    assert made["files"][0]["name"].endswith(f".{format}")
    async with api.client() as anonymous:
        got = await anonymous.get(await link(person, made))
    assert (got.status_code, got.headers["content-type"]) == (200, media_type)


async def test_an_analyst_exports_everybody_s_rows(api: Api, sign_in: SignIn, bench: Bench) -> None:
    analyst = await sign_in(roles=("analyst",))
    async with api.database.transaction() as session:
        await make_order(session)
        await make_order(session)
    made = await export(analyst, bench, filters={"status": "pending"})
    assert (made["scope"], made["progress"]["rows"], made["filters"]) == ("all", 2, {"status": "pending"})


async def test_who_lost_the_right_to_everybody_s_rows_gets_none_of_them(
    api: Api, sign_in: SignIn, bench: Bench
) -> None:
    analyst = await sign_in(roles=("analyst",))
    async with api.database.transaction() as session:
        await make_order(session)
    made = await export(analyst, bench)
    url = await link(analyst, made)
    async with api.client() as anonymous:
        assert (await anonymous.get(url)).status_code == 200
        async with api.database.transaction() as session:
            await auth.set_roles(session, analyst.user.id, ["customer"])
        api.resources.authenticator.forget(user_id=analyst.user.id)
        # Not even by the link that was made before; it stays an export of theirs.
        assert_problem(await anonymous.get(url), 403, "link_refused")
        assert_problem(await analyst.http.post(f"{EXPORTS}/{made['id']}/link"), 403, "permission_denied")
        assert (await analyst.http.get(f"{EXPORTS}/{made['id']}")).status_code == 200
        async with api.database.transaction() as session:
            await auth.set_roles(session, analyst.user.id, ["analyst"])
        assert (await anonymous.get(url)).status_code == 200
        async with api.database.transaction() as session:
            await session.execute(update(User).where(User.id == analyst.user.id).values(is_active=False))
        assert_problem(await anonymous.get(url), 403, "link_refused")


async def test_a_key_links_only_to_what_its_scopes_reach(api: Api, sign_in: SignIn, bench: Bench) -> None:
    analyst = await sign_in(roles=("analyst",))
    made = await export(analyst, bench)
    for scopes, status in ((["exports:create"], 403), (["exports:create", "orders:read_all"], 201)):
        key = await analyst.http.post("/api/v1/auth/api-keys", json={"name": "k", "scopes": scopes})
        async with api.client(headers={"X-API-Key": key.json()["key"]}) as machine:
            assert (await machine.post(f"{EXPORTS}/{made['id']}/link")).status_code == status


async def test_ranges(api: Api, sign_in: SignIn, bench: Bench) -> None:
    person = await sign_in()
    url = await link(person, await export(person, bench))
    async with api.client() as http:
        whole = (await http.get(url)).content
        size = len(whole)

        async def part(value: str, **headers: str) -> httpx.Response:
            return await http.get(url, headers={"Range": value} | headers)

        for value, expected in (
            ("bytes=0-4", whole[:5]),
            (f"bytes={size - 3}-", whole[-3:]),
            ("bytes=-3", whole[-3:]),
            (f"bytes=5-{size * 2}", whole[5:]),
        ):
            answer = await part(value)
            assert (answer.status_code, answer.content) == (206, expected), value
            assert answer.headers["content-range"].endswith(f"/{size}")
        for value in ("bytes=2-1", "lines=1-2", "bytes=", "bytes=-", "bytes=0-1,3-4", "nonsense"):
            answer = await part(value)
            assert (answer.status_code, answer.content) == (200, whole), value
        for value in (f"bytes={size}-", "bytes=-0"):
            assert_problem(await part(value), 416, "range_not_satisfiable")
        etag = (await http.get(url)).headers["etag"]
        assert (await part("bytes=0-1", **{"If-Range": etag})).status_code == 206
        assert (await part("bytes=0-1", **{"If-Range": '"another"'})).status_code == 200


async def test_head_says_what_there_is_without_reading_it(
    api: Api, sign_in: SignIn, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await sign_in()
    url = await link(person, await export(person, bench))
    async with api.client() as http:
        whole = await http.get(url)

        async def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("the file was opened")

        monkeypatch.setattr("anyio.open_file", refuse)
        head = await http.head(url)
        part = await http.head(url, headers={"Range": "bytes=0-4"})
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "content-type", "content-disposition"):
        assert head.headers[name] == whole.headers[name]
    assert (part.status_code, part.headers["content-length"]) == (206, "5")


async def test_a_link_is_for_one_file_one_person_and_a_while(api: Api, sign_in: SignIn, bench: Bench) -> None:
    person = await sign_in()
    made = await export(person, bench)
    url = await link(person, made)
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    async with api.client() as http:
        assert (await http.get(url)).status_code == 200
        for change in (
            {"expires": str(int(query["expires"]) + 1)},
            {"by": str(uuid4())},
            {"signature": "x" + query["signature"]},
        ):
            assert_problem(await http.get(f"{parts.path}?{urlencode(query | change)}"), 403, "link_refused")
        other_file = parts.path.replace("part-00000", "part-00001")
        assert_problem(await http.get(f"{other_file}?{parts.query}"), 403, "link_refused")
        assert (await http.get(parts.path)).status_code == 422
        past = int(time.time()) - 1
        stale = api.resources.links.sign_link(parts.path, expires_at=past, subject=query["by"])
        expired = urlencode({"expires": past, "by": query["by"], "signature": stale})
        assert_problem(await http.get(f"{parts.path}?{expired}"), 403, "link_refused")


async def test_what_was_pruned_is_not_found(api: Api, sign_in: SignIn, bench: Bench) -> None:
    person = await sign_in()
    made = await export(person, bench)
    url = await link(person, made)
    storage.file_path(api.resources.settings, made["id"], made["files"][0]["name"]).unlink()
    async with api.client() as http:
        assert_problem(await http.get(url), 404, "export_file_not_found")


async def test_others_see_nothing_of_it(api: Api, sign_in: SignIn, bench: Bench) -> None:
    person, other = await sign_in(), await sign_in(roles=("admin",))
    made = await export(person, bench)
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/link")):
        answer = await other.http.request(method, f"{EXPORTS}/{made['id']}{path}")
        assert_problem(answer, 404, "export_not_found")
    assert (await other.http.get(EXPORTS)).json()["items"] == []
    unknown = await person.http.post(f"{EXPORTS}/{made['id']}/link", json={"name": "../../etc/passwd"})
    assert_problem(unknown, 404, "export_file_not_found")


async def test_cancelling(sign_in: SignIn, bench: Bench) -> None:
    person = await sign_in()
    asked = (await person.http.post(EXPORTS, json={"dataset": "orders", "format": "parquet"})).json()
    cancelled = await person.http.post(asked["_links"]["cancel"]["href"])
    assert cancelled.json()["state"] == "cancelled"
    assert set(cancelled.json()["_links"]) == {"self"}
    assert_problem(await person.http.post(asked["_links"]["cancel"]["href"]), 409, "export_ended")
    assert "exports.run" not in {kind for kind, _ in await bench.drain()}


async def test_the_running_attempt_s_progress_is_shown(api: Api, sign_in: SignIn, bench: Bench) -> None:
    person = await sign_in()
    asked = (await person.http.post(EXPORTS, json={"dataset": "orders", "format": "csv"})).json()
    async with api.database.transaction() as session:
        row = await service.start(session, asked["id"], rows_total=200)
        job_id = row.job_id
    jobs = {job.id: job for job in await bench.claim()}
    assert job_id is not None
    note = ProgressNote(job_id, bench.boot, jobs[job_id].number, {"rows": 50, "total": 200, "percent": 25.0})
    await bench.store.progress([note])
    shown = (await person.http.get(f"{EXPORTS}/{asked['id']}")).json()
    assert (shown["state"], shown["progress"]) == ("running", {"rows": 50, "total": 200, "percent": 25.0})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"dataset": "users", "format": "csv"}, "unknown_dataset"),
        ({"dataset": "orders", "format": "csv", "filters": {"status": "' OR 1=1"}}, "invalid_export_filter"),
        ({"dataset": "orders", "format": "xlsx"}, "validation_failed"),
    ],
)
async def test_bad_requests(authenticated_client: httpx.AsyncClient, body: dict[str, Any], code: str) -> None:
    answer = await authenticated_client.post(EXPORTS, json=body)
    assert answer.status_code == 422
    assert_problem(answer, 422, code)


async def test_one_person_has_few_at_a_time(authenticated_client: httpx.AsyncClient) -> None:
    body = {"dataset": "orders", "format": "csv"}
    for _ in range(service.MAX_UNFINISHED_PER_USER):
        assert (await authenticated_client.post(EXPORTS, json=body)).status_code == 202
    refused = await authenticated_client.post(EXPORTS, json=body)
    assert_problem(refused, 429, "too_many_exports")
    assert int(refused.headers["retry-after"]) > 0


async def test_datasets_say_what_they_hold(authenticated_client: httpx.AsyncClient) -> None:
    datasets = {
        item["name"]: item for item in (await authenticated_client.get("/api/v1/export-datasets")).json()["items"]
    }
    assert {"orders", "order_lines"} <= set(datasets)
    assert {"name": "total_amount", "kind": "decimal", "description": "Sum of the lines."} in datasets["orders"][
        "columns"
    ]
    assert datasets["orders"]["filters"][0]["choices"]
    assert datasets["orders"]["formats"] == ["parquet", "arrow", "csv", "ndjson"]
