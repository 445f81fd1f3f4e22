"""Orders: placed once, never oversold, seen by their owner."""

import asyncio
from typing import Any

import httpx
import pytest

from db.products.models import Product
from tests.factories.orders import make_order
from tests.factories.products import make_product
from tests.fixtures.client import Api, SignIn, assert_problem


@pytest.fixture
async def product(api: Api) -> Product:
    """Ten in stock at 9.90."""
    async with api.database.transaction() as session:
        return await make_product(session)


def order_of(product: Product, quantity: int = 1) -> dict[str, Any]:
    return {"lines": [{"product_id": str(product.id), "quantity": quantity}]}


async def stock_of(client: httpx.AsyncClient, product: Product) -> int:
    stock: int = (await client.get(f"/api/v1/products/{product.id}")).json()["stock"]
    return stock


class TestPlace:
    async def test_takes_stock_and_tells_everybody(
        self, api: Api, authenticated_client: httpx.AsyncClient, product: Product
    ):
        assert await stock_of(authenticated_client, product) == 10
        response = await authenticated_client.post("/api/v1/orders", json=order_of(product, 3))
        assert response.status_code == 201, response.text
        order = response.json()
        assert order["status"] == "pending"
        assert order["total_amount"] == "29.70"
        assert order["items"][0]["quantity"] == 3
        assert order["history"][0]["status"] == "pending"
        assert order["_links"]["cancel"]["method"] == "POST"
        assert (await authenticated_client.get(response.headers["location"])).json() == order
        assert await stock_of(authenticated_client, product) == 7, "the cached product was voided"
        assert any(f"orders:updates#{order['user_id']}" in channels for channels in api.poked.made)
        assert api.woken.made

    async def test_too_much_changes_nothing(self, authenticated_client: httpx.AsyncClient, product: Product):
        response = await authenticated_client.post("/api/v1/orders", json=order_of(product, 11))
        problem = assert_problem(response, 409, "out_of_stock")
        assert problem["lines"][0]["available"] == 10
        assert await stock_of(authenticated_client, product) == 10

    async def test_many_at_once_never_oversell(self, authenticated_client: httpx.AsyncClient, product: Product):
        answers = await asyncio.gather(
            *(authenticated_client.post("/api/v1/orders", json=order_of(product)) for _ in range(25))
        )
        assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 15
        assert await stock_of(authenticated_client, product) == 0

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"lines": []},
            {"lines": [{"product_id": "x", "quantity": 1}]},
            {"lines": [{"product_id": "00000000-0000-7000-8000-000000000000", "quantity": 0}]},
            {"lines": [{"product_id": "00000000-0000-7000-8000-000000000000", "quantity": 1, "unit_price": "0.01"}]},
            {"lines": [{"product_id": "00000000-0000-7000-8000-000000000000", "quantity": 1}], "user_id": "me"},
        ],
    )
    async def test_nonsense_is_refused(self, authenticated_client: httpx.AsyncClient, body: dict[str, Any]):
        assert_problem(await authenticated_client.post("/api/v1/orders", json=body), 422, "validation_failed")

    async def test_malformed_bodies(self, authenticated_client: httpx.AsyncClient):
        headers = {"Content-Type": "application/json"}
        broken = await authenticated_client.post("/api/v1/orders", content=b"{", headers=headers)
        assert_problem(broken, 422, "validation_failed")
        text = await authenticated_client.post("/api/v1/orders", content=b"{}", headers={"Content-Type": "text/plain"})
        assert_problem(text, 422, "validation_failed")

    async def test_an_unknown_product_is_409(self, authenticated_client: httpx.AsyncClient):
        body = {"lines": [{"product_id": "00000000-0000-7000-8000-000000000000", "quantity": 1}]}
        assert_problem(await authenticated_client.post("/api/v1/orders", json=body), 409, "product_unavailable")


class TestOwnership:
    async def test_others_orders_do_not_exist(self, api: Api, sign_in: SignIn, client: httpx.AsyncClient):
        mine, theirs = await sign_in(), await sign_in()
        async with api.database.transaction() as session:
            order = await make_order(session, theirs.user)
        path = f"/api/v1/orders/{order.id}"
        assert_problem(await mine.http.get(path), 404, "order_not_found")
        assert_problem(await mine.http.post(f"{path}/cancel"), 404, "order_not_found")
        assert_problem(await mine.http.post(f"{path}/status", json={"status": "paid"}), 403, "permission_denied")
        assert_problem(await client.get(path), 401, "authentication_required")
        assert (await mine.http.get("/api/v1/orders")).json()["items"] == []
        assert_problem(await mine.http.get("/api/v1/orders?everyone=true"), 403, "permission_denied")

    async def test_operators_see_all(self, api: Api, operator_client: httpx.AsyncClient):
        async with api.database.transaction() as session:
            order = await make_order(session)
        assert (await operator_client.get(f"/api/v1/orders/{order.id}")).status_code == 200
        everyone = await operator_client.get("/api/v1/orders", params={"everyone": True, "status": "pending"})
        assert [item["id"] for item in everyone.json()["items"]] == [str(order.id)]
        shipped = await operator_client.get("/api/v1/orders", params={"everyone": True, "status": "shipped"})
        assert shipped.json()["items"] == []

    async def test_operators_hear_whose_orders_they_are_and_find_one(
        self, api: Api, sign_in: SignIn, operator_client: httpx.AsyncClient
    ):
        ada = await sign_in()
        async with api.database.transaction() as session:
            hers, other = await make_order(session, ada.user), await make_order(session)

        async def found(**query: str) -> list[str]:
            answer = await operator_client.get("/api/v1/orders", params={"everyone": True, **query})
            assert answer.status_code == 200, answer.text
            return [item["id"] for item in answer.json()["items"]]

        for query in ({}, {"cursor": ""}):
            page = await operator_client.get("/api/v1/orders", params={"everyone": True, **query})
            names = {item["id"]: item["username"] for item in page.json()["items"]}
            assert names[str(hers.id)] == ada.user.username
        assert await found(user_id=str(ada.user.id)) == [str(hers.id)]
        for called in (other.order_number, f" {other.number} ", other.order_number.lower()):
            assert await found(number=called) == [str(other.id)]
        for called in ("M-", "no number", "9" * 19, "-1"):
            assert await found(number=called) == []
        path = f"/api/v1/orders/{hers.id}"
        assert (await operator_client.get(path)).json()["username"] == ada.user.username
        moved = await operator_client.post(f"{path}/status", json={"status": "paid", "reason": "by hand"})
        assert (moved.json()["username"], moved.json()["history"][-1]["reason"]) == (ada.user.username, "by hand")
        assert (await ada.http.get(path)).json()["username"] is None, "she knows"
        assert (await ada.http.get("/api/v1/orders", params={"user_id": str(other.user_id)})).json()["items"][0][
            "id"
        ] == str(hers.id), "one's own, whoever is asked for"


class TestMove:
    async def test_step_by_step(self, api: Api, sign_in: SignIn, operator_client: httpx.AsyncClient):
        person = await sign_in()
        async with api.database.transaction() as session:
            order = await make_order(session, person.user)
        path = f"/api/v1/orders/{order.id}"
        skipped = await operator_client.post(f"{path}/status", json={"status": "shipped"})
        problem = assert_problem(skipped, 409, "status_not_reachable")
        assert problem["reachable"] == ["cancelled", "paid"]
        for status in ("paid", "packed", "shipped", "delivered"):
            moved = await operator_client.post(f"{path}/status", json={"status": status})
            assert moved.json()["status"] == status
        assert [step["status"] for step in moved.json()["history"]][-1] == "delivered"
        notices = (await person.http.get("/api/v1/notifications")).json()["items"]
        assert [notice["data"]["status"] for notice in notices] == ["delivered", "shipped"]

    async def test_cancelling_returns_stock_once(self, authenticated_client: httpx.AsyncClient, product: Product):
        order = (await authenticated_client.post("/api/v1/orders", json=order_of(product, 4))).json()
        path = f"/api/v1/orders/{order['id']}/cancel"
        cancelled = await authenticated_client.post(path, json={"reason": "changed my mind"})
        assert cancelled.json()["status"] == "cancelled"
        assert "cancel" not in cancelled.json()["_links"]
        assert await stock_of(authenticated_client, product) == 10
        assert_problem(await authenticated_client.post(path), 409, "status_not_reachable")
        assert await stock_of(authenticated_client, product) == 10

    async def test_unknown_statuses_are_refused(self, operator_client: httpx.AsyncClient):
        path = "/api/v1/orders/00000000-0000-7000-8000-000000000000/status"
        assert_problem(await operator_client.post(path, json={"status": "lost"}), 422, "validation_failed")
        assert_problem(await operator_client.post(path, json={"status": "paid"}), 404, "order_not_found")
