"""The catalogue: filters, pages, cache, ETags, writing."""

from decimal import Decimal

import httpx
import pytest

from db.products.models import Product
from tests.factories.products import make_category, make_product
from tests.fixtures.client import Api, assert_problem


@pytest.fixture
async def shelf(api: Api) -> list[Product]:
    """Five products, 10.00 to 50.00, in category `lamps`."""
    async with api.database.transaction() as session:
        lamps = await make_category(session, slug="lamps", name="Lamps")
        return [
            await make_product(session, lamps, name=f"Lamp {number}", price=Decimal(number * 10), stock=number - 1)
            for number in range(1, 6)
        ]


class TestList:
    async def names(self, client: httpx.AsyncClient, **params: object) -> list[str]:
        response = await client.get("/api/v1/products", params=params)
        assert response.status_code == 200, response.text
        return [product["name"] for product in response.json()["items"]]

    @pytest.mark.parametrize(
        ("params", "numbers"),
        [
            ({}, [1, 2, 3, 4, 5]),
            ({"category": "lamps", "price_min": 20, "price_max": 40}, [2, 3, 4]),
            ({"category": "no-such"}, []),
            ({"sort": "price", "order": "desc"}, [5, 4, 3, 2, 1]),
            ({"sort": "-price", "limit": 2}, [5, 4]),
            ({"in_stock": False}, [1]),
            ({"low": True}, [1, 2, 3, 4, 5]),
            ({"low": False}, []),
            ({"q": "%"}, []),
            ({"limit": 2, "page": 3}, [5]),
            ({"page": 99}, []),
        ],
    )
    async def test_filters_sorts_and_pages(
        self, client: httpx.AsyncClient, shelf: list[Product], params: dict[str, object], numbers: list[int]
    ):
        assert await self.names(client, **params) == [f"Lamp {number}" for number in numbers]

    async def test_shape(self, client: httpx.AsyncClient, shelf: list[Product]):
        response = await client.get("/api/v1/products?limit=2&page=2")
        body = response.json()
        assert (body["total"], body["page"], body["limit"], body["pages"]) == (5, 2, 2, 3)
        product = body["items"][0]
        assert product["price"] == "30.00"
        assert product["category"]["slug"] == "lamps"
        assert product["_links"] == {"self": {"href": f"/api/v1/products/{product['id']}"}}
        assert body["_links"]["next"]["href"] == "/api/v1/products?page=3&limit=2"
        assert body["_links"]["prev"]["href"] == "/api/v1/products?page=1&limit=2"
        following = await client.get(body["_links"]["next"]["href"])
        assert [product["name"] for product in following.json()["items"]] == ["Lamp 5"]
        assert response.headers["x-total-count"] == "5"

    async def test_cursors_walk_both_ways(self, client: httpx.AsyncClient, shelf: list[Product]):
        params = {"sort": "-price", "limit": 2}
        first = (await client.get("/api/v1/products", params=params | {"cursor": ""})).json()
        second = (await client.get("/api/v1/products", params=params | {"cursor": first["next"]})).json()
        assert [product["name"] for product in second["items"]] == ["Lamp 3", "Lamp 2"]
        back = (await client.get("/api/v1/products", params=params | {"cursor": second["prev"]})).json()
        assert back["items"] == first["items"]
        assert first["prev"] is None
        assert first["total"] is None

    async def test_search_forgives_a_typing_error(self, api: Api, client: httpx.AsyncClient, shelf: list[Product]):
        async with api.database.transaction() as session:
            await make_product(session, name="Espresso machine")
        assert await self.names(client, q="espreso") == ["Espresso machine"]

    @pytest.mark.parametrize(
        "params", [{"sort": "deleted_at"}, {"price_min": "cheap"}, {"price_min": -1}, {"limit": 0}, {"fields": "x"}]
    )
    async def test_nonsense_is_refused(self, client: httpx.AsyncClient, params: dict[str, object]):
        assert_problem(await client.get("/api/v1/products", params=params), 422, "validation_failed")

    async def test_an_empty_range_is_refused(self, client: httpx.AsyncClient):
        response = await client.get("/api/v1/products", params={"price_min": 5, "price_max": 4})
        assert_problem(response, 422, "invalid_input")

    async def test_nul_is_refused(self, client: httpx.AsyncClient):
        assert_problem(await client.get("/api/v1/products?q=%00"), 422, "invalid_input")

    async def test_is_cached_until_a_product_changes(
        self, api: Api, client: httpx.AsyncClient, admin_client: httpx.AsyncClient, shelf: list[Product]
    ):
        assert await self.names(client) == await self.names(client)
        assert len(api.cache.loads) == 1
        path = f"/api/v1/products/{shelf[0].id}"
        changed = await admin_client.patch(path, json={"name": "Aardvark"}, headers={"If-Match": '"1"'})
        assert changed.status_code == 200, changed.text
        assert (await self.names(client))[0] == "Aardvark"

    async def test_a_buyer_sees_what_is_left_and_so_does_everybody(
        self, api: Api, client: httpx.AsyncClient, authenticated_client: httpx.AsyncClient, shelf: list[Product]
    ):
        """Lists show stock, so an order of what they show voids them; others stay."""
        bought, other = shelf[1], shelf[4]  # of the first there is one, of the last four
        paths = {
            "page with it": "/api/v1/products?limit=2",
            "page without it": "/api/v1/products?limit=2&page=2",
            "by stock": "/api/v1/products?sort=stock&limit=1&page=1",
            "sold out": "/api/v1/products?in_stock=false",
        }
        for path in paths.values():
            await client.get(path)
        body = {"lines": [{"product_id": str(bought.id), "quantity": 1}]}
        placed = await authenticated_client.post("/api/v1/orders", json=body)
        assert placed.status_code == 201, placed.text
        echo = {"Cache-Version": placed.headers["cache-version"]}
        api.cache.loads.clear()
        found = {name: (await client.get(path, headers=echo)).json()["items"] for name, path in paths.items()}
        assert [item["stock"] for item in found["page with it"]] == [0, 0]
        assert [item["id"] for item in found["sold out"]] == [str(shelf[0].id), str(bought.id)]
        assert len(api.cache.loads) == 3, "the page that does not show it is still good"
        cancelled = await authenticated_client.post(placed.headers["location"] + "/cancel")
        assert cancelled.status_code == 200
        assert [item["stock"] for item in (await client.get(paths["page with it"])).json()["items"]] == [0, 1]
        assert other.stock == 4

    async def test_a_write_names_its_version_and_reads_pass_it_on(
        self, api: Api, client: httpx.AsyncClient, admin_client: httpx.AsyncClient, shelf: list[Product]
    ):
        path = f"/api/v1/products/{shelf[0].id}"
        changed = await admin_client.patch(path, json={"name": "Aardvark"}, headers={"If-Match": '"1"'})
        version = changed.headers["cache-version"]
        assert version == f"0:cafecafe:{api.cache.invalidations}"
        api.cache.asked_at_least.clear()
        for read in ("/api/v1/products", path, "/api/v1/categories"):
            assert (await client.get(read, headers={"Cache-Version": version})).status_code == 200
            assert (await client.get(read, headers={"Cache-Version": "?"})).status_code == 200
        assert api.cache.asked_at_least == [version, "", version, "", version, ""]

    async def test_304_while_nothing_changed(self, client: httpx.AsyncClient, shelf: list[Product]):
        first = await client.get("/api/v1/products")
        again = await client.get("/api/v1/products", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = await client.get("/api/v1/products", headers={"If-None-Match": '"other"'})
        assert other.status_code == 200


class TestOne:
    async def test_reads_with_etag(self, client: httpx.AsyncClient, shelf: list[Product]):
        path = f"/api/v1/products/{shelf[0].id}"
        response = await client.get(path)
        assert response.headers["etag"] == '"1-read"'
        assert response.json()["version"] == 1
        assert set(response.json()["_links"]) == {"self"}
        assert (await client.get(path, headers={"If-None-Match": 'W/"1-read", "x"'})).status_code == 304
        assert (await client.get(path, headers={"If-None-Match": '"0"'})).status_code == 200

    async def test_links_follow_permissions(self, admin_client: httpx.AsyncClient, shelf: list[Product]):
        body = (await admin_client.get(f"/api/v1/products/{shelf[0].id}")).json()
        assert body["_links"]["update"] == {"href": f"/api/v1/products/{shelf[0].id}", "method": "PATCH"}

    async def test_a_reader_s_copy_is_none_of_who_may_change_it(
        self, client: httpx.AsyncClient, admin_client: httpx.AsyncClient, shelf: list[Product]
    ):
        """The same browser, before and after signing in: only one of the two answers says how to change it."""
        path = f"/api/v1/products/{shelf[0].id}"
        tag = (await client.get(path)).headers["etag"]
        answer = await admin_client.get(path, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
        changed = await admin_client.patch(path, json={"price": "13"}, headers={"If-Match": tag})
        assert changed.status_code == 200, "which version it is, it says all the same"

    async def test_unknown_is_404_and_not_remembered(self, api: Api, client: httpx.AsyncClient):
        path = "/api/v1/products/00000000-0000-7000-8000-000000000000"
        assert_problem(await client.get(path), 404, "product_not_found")
        assert api.cache.values == {}


class TestWrite:
    async def test_create_update_delete(self, api: Api, admin_client: httpx.AsyncClient, client: httpx.AsyncClient):
        async with api.database.transaction() as session:
            category = await make_category(session)
        body = {"sku": "NEW-1", "name": "New", "category_id": str(category.id), "price": "12.50", "stock": 3}
        created = await admin_client.post("/api/v1/products", json=body)
        assert created.status_code == 201, created.text
        path = created.headers["location"]
        assert created.headers["etag"] == '"1"'
        assert (await client.get(path)).json()["price"] == "12.50"

        updated = await admin_client.patch(path, json={"price": "13"}, headers={"If-Match": '"1"'})
        assert updated.json()["price"] == "13.00"
        assert updated.headers["etag"] == '"2"'
        assert (await client.get(path)).json()["price"] == "13.00"

        assert_problem(await admin_client.delete(path), 428, "precondition_required")
        assert_problem(await admin_client.delete(path, headers={"If-Match": '"1"'}), 412, "version_mismatch")
        assert (await admin_client.delete(path, headers={"If-Match": '"2"'})).status_code == 204
        assert_problem(await client.get(path), 404, "product_not_found")

    async def test_a_picture_comes_and_goes(self, admin_client: httpx.AsyncClient, shelf: list[Product]):
        path = f"/api/v1/products/{shelf[0].id}"
        body = {"sku": "P-1", "name": "x", "price": "1", "category_id": str(shelf[0].category_id)}
        created = await admin_client.post("/api/v1/products", json=body | {"image_url": "/pictures/x.webp"})
        assert created.json()["image_url"] == "/pictures/x.webp"
        for address in ("https://images.example/lamp.webp?w=400", None):
            changed = await admin_client.patch(path, json={"image_url": address}, headers={"If-Match": "*"})
            assert changed.json()["image_url"] == address
            assert (await admin_client.get(path)).json()["image_url"] == address
        for address in (
            *("http://images.example/x.png", "javascript:alert(1)", "data:image/png;base64,AA", "//evil.example/x"),
            *(
                "/\\evil.example/x",
                "x.png",
                "https://",
                "https:///x",
                "https://a b",
                f"https://x.example/{'a' * 400}",
                "",
            ),
        ):
            refused = await admin_client.patch(path, json={"image_url": address}, headers={"If-Match": "*"})
            problem = assert_problem(refused, 422, "validation_failed")
            assert problem["errors"][0]["pointer"] == "#/image_url", address

    async def test_two_editors(self, admin_client: httpx.AsyncClient, shelf: list[Product]):
        path = f"/api/v1/products/{shelf[0].id}"
        assert_problem(await admin_client.patch(path, json={"stock": 1}), 428, "precondition_required")
        for tag in ('"7"', '"abc"', '"1", "2"', "1"):
            refused = await admin_client.patch(path, json={"stock": 1}, headers={"If-Match": tag})
            assert_problem(refused, 412, "version_mismatch")
        assert (await admin_client.patch(path, json={"stock": 1}, headers={"If-Match": "*"})).status_code == 200

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"price": "-1"}, "#/price"),
            ({"price": "1.999"}, "#/price"),
            ({"stock": -1}, "#/stock"),
            ({"name": ""}, "#/name"),
            ({"name": "a\x00b"}, "#"),
            ({"version": 7}, "#/version"),
        ],
    )
    async def test_mistakes_are_pointed_at(
        self, admin_client: httpx.AsyncClient, shelf: list[Product], change: dict[str, object], pointer: str
    ):
        path = f"/api/v1/products/{shelf[0].id}"
        response = await admin_client.patch(path, json=change, headers={"If-Match": '"1"'})
        problem = assert_problem(response, 422, "validation_failed")
        assert problem["errors"][0]["pointer"].rstrip("/") == pointer

    async def test_a_taken_sku_and_an_unknown_category(self, admin_client: httpx.AsyncClient, shelf: list[Product]):
        body = {"sku": shelf[0].sku, "name": "x", "price": "1", "category_id": str(shelf[0].category_id)}
        assert_problem(await admin_client.post("/api/v1/products", json=body), 409, "sku_taken")
        body |= {"sku": "OTHER", "category_id": "00000000-0000-7000-8000-000000000000"}
        assert_problem(await admin_client.post("/api/v1/products", json=body), 422, "unknown_category")

    async def test_customers_may_not(self, authenticated_client: httpx.AsyncClient, shelf: list[Product]):
        path = f"/api/v1/products/{shelf[0].id}"
        headers = {"If-Match": '"1"'}
        assert_problem(await authenticated_client.patch(path, json={}, headers=headers), 403, "permission_denied")
        assert_problem(await authenticated_client.delete(path, headers=headers), 403, "permission_denied")
        assert_problem(await authenticated_client.post("/api/v1/products", json={}), 403, "permission_denied")
