"""The documentation page."""

import re

import httpx

from tests.fixtures.client import StartApi, assert_problem


async def test_loads_nothing_from_elsewhere(client: httpx.AsyncClient):
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert addresses
    for address in addresses:
        assert address.startswith("/docs/static/")
        assert (await client.get(address)).status_code == 200, address
    assert "<script>" not in page.text


async def test_the_document_is_served(client: httpx.AsyncClient):
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")


async def test_is_not_there_in_production(start_api: StartApi):
    api = await start_api(environment="production")
    async with api.client() as client:
        for path in ("/docs", "/docs/static/mobula-docs.js", "/openapi.json"):
            assert_problem(await client.get(path), 404, "not_found")
