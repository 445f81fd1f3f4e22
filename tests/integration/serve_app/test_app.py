"""The application as a whole: errors of every layer, the transaction, the chain."""

from typing import Annotated

import asyncpg
import httpx
import pytest
from fastapi import Depends, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.errors import Conflict
from serve_app.dependencies import DbSession, get_db_session
from tests.fixtures.client import Api, StartApi, assert_problem, build_settings


class TestErrors:
    async def test_unknown_paths_and_methods(self, client: httpx.AsyncClient):
        assert_problem(await client.get("/nowhere"), 404, "not_found")
        assert_problem(await client.get("/api/v1/nowhere"), 404, "not_found")
        refused = await client.put("/api/v1/categories")
        assert_problem(refused, 405, "method_not_allowed")
        assert refused.headers["allow"] == "GET, HEAD, POST"
        assert_problem(await client.request("TRACE", "/api/v1/categories"), 405, "method_not_allowed")

    async def test_500_says_nothing(self, api: Api, client: httpx.AsyncClient):
        @api.app.get("/broken")
        async def broken() -> None:
            raise RuntimeError("the password is hunter2")

        response = await client.get("/broken")
        assert_problem(response, 500, "internal_error")
        assert "hunter2" not in response.text
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"]

    async def test_postgres_gone_is_503_with_retry_after(self, start_api: StartApi, monkeypatch: pytest.MonkeyPatch):
        api = await start_api()

        def refuse(*_: object) -> None:
            raise ConnectionRefusedError

        monkeypatch.setattr(api.database.engine.sync_engine.pool, "connect", refuse)
        async with api.client() as client:
            response = await client.get("/api/v1/products")
        assert_problem(response, 503, "database_unavailable")
        assert int(response.headers["retry-after"]) >= 1

    @pytest.mark.parametrize(("kind", "value"), [("text", "a\x00b"), ("text", "a\ud800"), ("bigint", 2**63)])
    async def test_values_that_postgres_cannot_hold_are_422(
        self, api: Api, client: httpx.AsyncClient, kind: str, value: object
    ):
        @api.app.get("/unstorable")
        async def unstorable(session: DbSession) -> None:
            await session.execute(text(f"SELECT CAST(:value AS {kind})"), {"value": value})

        assert_problem(await client.get("/unstorable"), 422, "invalid_input")

    @pytest.mark.parametrize(
        "free",
        [
            r'{"a": "\ud800"}',
            r'{"\ud800": 1}',
            r'{"a": "\u0000"}',
            '{"a": 18446744073709551616}',
            f'{{"a": {"[" * 300}{"]" * 300}}}',
        ],
    )
    async def test_free_json_that_cannot_be_stored_is_422(self, admin_client: httpx.AsyncClient, free: str):
        me = (await admin_client.get("/api/v1/auth/me")).json()["id"]
        for method, path, body in (
            ("PATCH", "auth/me", f'{{"metadata": {free}}}'),
            ("PATCH", f"users/{me}", f'{{"metadata": {free}}}'),
            (
                "POST",
                "products",
                f'{{"attributes": {free}, "sku": "X", "name": "x", "price": "1", "category_id": "{me}"}}',
            ),
        ):
            headers = {"Content-Type": "application/json"}
            answer = await admin_client.request(method, f"/api/v1/{path}", content=body, headers=headers)
            assert_problem(answer, 422, "validation_failed")

    async def test_before_the_lifespan_it_is_503(self):
        from serve_app.app import build_app

        transport = httpx.ASGITransport(build_app(build_settings()))
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as early:
            response = await early.get("/health/live")
        assert response.status_code == 503
        assert response.json()["code"] == "unavailable"


class TestTransaction:
    """One per request; committed after the handler, before the first byte."""

    @pytest.fixture
    async def table(self, api: Api) -> str:
        async with api.database.transaction() as session:
            await session.execute(text("CREATE TABLE IF NOT EXISTS public.notes (body text)"))
            await session.execute(text("TRUNCATE public.notes"))
        return "public.notes"

    async def count(self, api: Api) -> int:
        async with api.database.transaction(read_only=True) as session:
            return int(await session.scalar(text("SELECT count(*) FROM public.notes")) or 0)

    async def test_commits_before_the_response_starts(self, api: Api, table: str):
        @api.app.post("/notes")
        async def add(session: DbSession) -> dict[str, str]:
            await session.execute(text("INSERT INTO public.notes VALUES ('x')"))
            return {"status": "written"}

        seen: list[int] = []

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                connection = await asyncpg.connect(api.database.url)
                seen.append(await connection.fetchval("SELECT count(*) FROM public.notes"))
                await connection.close()

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": "/notes",
            "raw_path": b"/notes",
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": [(b"host", b"api.test")],
            "client": ("192.0.2.1", 1),
            "server": ("api.test", 80),
        }
        await api.app(scope, receive, send)
        assert seen == [1]

    async def test_a_failing_commit_is_an_error(self, api: Api, client: httpx.AsyncClient, table: str):
        async with api.database.transaction() as session:
            await session.execute(text("DROP TABLE public.notes"))
            await session.execute(text("CREATE TABLE public.notes (body text UNIQUE DEFERRABLE INITIALLY DEFERRED)"))

        @api.app.post("/notes")
        async def add(session: DbSession) -> dict[str, str]:
            await session.execute(text("INSERT INTO public.notes VALUES ('x'), ('x')"))
            return {"status": "written"}

        assert_problem(await client.post("/notes"), 500, "internal_error")
        assert await self.count(api) == 0

    async def test_an_error_rolls_back(self, api: Api, client: httpx.AsyncClient, table: str):
        @api.app.post("/notes")
        async def add(session: DbSession) -> None:
            await session.execute(text("INSERT INTO public.notes VALUES ('x')"))
            raise Conflict("no")

        assert_problem(await client.post("/notes"), 409, "conflict")
        assert await self.count(api) == 0

    async def test_dependencies_of_one_request_share_it(self, api: Api, client: httpx.AsyncClient):
        async def other(session: DbSession) -> AsyncSession:
            return session

        @api.app.get("/same")
        async def same(session: DbSession, second: Annotated[AsyncSession, Depends(other)]) -> bool:
            return session is second

        assert (await client.get("/same")).json() is True
        assert get_db_session  # the alias that the handlers use


async def test_head_and_compression_and_headers(api: Api, client: httpx.AsyncClient):
    @api.app.get("/large")
    async def large() -> Response:
        return Response("x" * 5000, media_type="text/plain", headers={"ETag": '"1"'})

    got = await client.get("/large", headers={"Accept-Encoding": "gzip"})
    assert got.headers["content-encoding"] == "gzip"
    assert got.text == "x" * 5000
    small = await client.get("/health/live", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in small.headers
    head = await client.head("/large", headers={"Accept-Encoding": "identity"})
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "5000")
