"""Requests that are sent again under one Idempotency-Key."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from db.products.models import Product
from tests.factories.products import make_product
from tests.fixtures.client import Api, SignIn, StartApi, assert_problem

Ask = tuple[str, dict[str, Any]]
"""Path and body of a request that makes something."""


@pytest.fixture
async def api(start_api: StartApi, tmp_path: Path) -> Api:
    return await start_api(export_dir=tmp_path / "exports")


@pytest.fixture
async def product(api: Api) -> Product:
    async with api.database.transaction() as session:
        return await make_product(session, stock=10)


def order_of(product: Product, quantity: int = 1) -> dict[str, Any]:
    return {"lines": [{"product_id": str(product.id), "quantity": quantity}]}


async def send(client: httpx.AsyncClient, ask: Ask, key: str) -> httpx.Response:
    path, body = ask
    return await client.post(f"/api/v1{path}", json=body, headers={"Idempotency-Key": key})


async def place(client: httpx.AsyncClient, product: Product, key: str, quantity: int = 1) -> httpx.Response:
    return await send(client, ("/orders", order_of(product, quantity)), key)


async def stock_of(client: httpx.AsyncClient, product: Product) -> int:
    stock: int = (await client.get(f"/api/v1/products/{product.id}")).json()["stock"]
    return stock


async def an_order(client: httpx.AsyncClient, product: Product) -> Ask:
    return "/orders", order_of(product)


async def a_conversation(client: httpx.AsyncClient, product: Product) -> Ask:
    return "/conversations", {"title": "Lamps", "is_public": True}


async def a_message(client: httpx.AsyncClient, product: Product) -> Ask:
    made = await client.post("/api/v1/conversations", json={"title": "Lamps", "is_public": True})
    return f"/conversations/{made.json()['id']}/messages", {"body": "hello"}


async def an_export(client: httpx.AsyncClient, product: Product) -> Ask:
    return "/exports", {"dataset": "orders", "format": "csv"}


@pytest.mark.parametrize("prepare", [an_order, a_conversation, a_message, an_export])
async def test_what_was_made_once_is_not_made_again(
    authenticated_client: httpx.AsyncClient,
    product: Product,
    prepare: Callable[[httpx.AsyncClient, Product], Awaitable[Ask]],
):
    ask = await prepare(authenticated_client, product)
    first = await send(authenticated_client, ask, "k1")
    again = await send(authenticated_client, ask, "k1")
    assert first.status_code in (201, 202), first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers.get("location") == first.headers.get("location")
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    other = await send(authenticated_client, ask, "k2")
    assert other.json()["id"] != first.json()["id"]


async def test_a_message_that_is_sent_again_is_said_once(authenticated_client: httpx.AsyncClient, product: Product):
    ask = await a_message(authenticated_client, product)
    for _ in range(3):
        assert (await send(authenticated_client, ask, "k1")).status_code == 201
    said = (await authenticated_client.get(f"/api/v1{ask[0]}")).json()["items"]
    assert [item["body"] for item in said] == ["hello"]


async def test_an_order_takes_stock_once(authenticated_client: httpx.AsyncClient, product: Product):
    for _ in range(2):
        await place(authenticated_client, product, "k1")
    assert await stock_of(authenticated_client, product) == 9


async def test_another_body_is_422(authenticated_client: httpx.AsyncClient, product: Product):
    await place(authenticated_client, product, "k1")
    response = await place(authenticated_client, product, "k1", quantity=2)
    assert_problem(response, 422, "idempotency_key_reused")


async def test_the_same_key_elsewhere_is_another(authenticated_client: httpx.AsyncClient, product: Product):
    one, other = await a_message(authenticated_client, product), await a_message(authenticated_client, product)
    first, second = await send(authenticated_client, one, "k1"), await send(authenticated_client, other, "k1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["conversation_id"] != second.json()["conversation_id"]


async def test_at_the_same_time_one_wins(authenticated_client: httpx.AsyncClient, product: Product):
    answers = await asyncio.gather(*(place(authenticated_client, product, "k1") for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert await stock_of(authenticated_client, product) == 9


async def test_keys_belong_to_their_sender(sign_in: SignIn, product: Product):
    mine, theirs = await sign_in(), await sign_in()
    first = await place(mine.http, product, "k1")
    second = await place(theirs.http, product, "k1")
    assert first.json()["id"] != second.json()["id"]


async def test_a_failed_attempt_may_be_tried_again(
    authenticated_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, product: Product
):
    assert_problem(await place(authenticated_client, product, "k1", 11), 409, "out_of_stock")
    path = f"/api/v1/products/{product.id}"
    await admin_client.patch(path, json={"stock": 20}, headers={"If-Match": "*"})
    assert (await place(authenticated_client, product, "k1", 11)).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "with space"])
async def test_unusable_keys_are_refused(authenticated_client: httpx.AsyncClient, product: Product, key: str):
    assert_problem(await place(authenticated_client, product, key), 422, "validation_failed")
