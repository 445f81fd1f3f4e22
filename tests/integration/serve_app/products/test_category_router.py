"""The shelves of the catalogue over HTTP."""

import httpx
import pytest

from tests.factories.products import make_category, make_product
from tests.fixtures.client import Api, assert_problem

PATH = "/api/v1/categories"
UNKNOWN = f"{PATH}/00000000-0000-7000-8000-000000000000"


async def test_an_empty_installation_gets_its_first_category_and_product(
    admin_client: httpx.AsyncClient, client: httpx.AsyncClient
):
    assert (await client.get(PATH)).json() == {"items": []}
    made = await admin_client.post(PATH, json={"slug": "lamps", "name": "Lamps"})
    assert made.status_code == 201, made.text
    category = made.json()
    assert made.headers["etag"] == '"1"'
    assert (category["slug"], category["parent_id"], category["position"]) == ("lamps", None, 0)
    assert (await client.get(PATH)).json() == {"items": [category]}, "the cached list is void"
    product = {"sku": "L-1", "name": "Lamp", "category_id": category["id"], "price": "12.50"}
    assert (await admin_client.post("/api/v1/products", json=product)).status_code == 201


async def test_a_change_shows_wherever_the_category_does(api: Api, admin_client: httpx.AsyncClient):
    async with api.database.transaction() as session:
        category = await make_category(session, name="Old")
        product = await make_product(session, category)
    one = f"/api/v1/products/{product.id}"
    for path in (one, "/api/v1/products"):
        await admin_client.get(path)
    changed = await admin_client.patch(f"{PATH}/{category.id}", json={"name": "New"}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["version"], changed.headers["etag"]) == (2, '"2"')
    assert (await admin_client.get(one)).json()["category"]["name"] == "New"
    assert (await admin_client.get("/api/v1/products")).json()["items"][0]["category"]["name"] == "New"


async def test_null_puts_it_below_none_and_means_nothing_elsewhere(api: Api, admin_client: httpx.AsyncClient):
    async with api.database.transaction() as session:
        parent = await make_category(session)
        child = await make_category(session, parent_id=parent.id, name="Child")
    answer = await admin_client.patch(
        f"{PATH}/{child.id}", json={"parent_id": None, "name": None}, headers={"If-Match": "*"}
    )
    assert (answer.json()["parent_id"], answer.json()["name"]) == (None, "Child")


async def test_removing_needs_the_version_and_an_empty_shelf(api: Api, admin_client: httpx.AsyncClient):
    async with api.database.transaction() as session:
        empty, full = await make_category(session), await make_category(session)
        await make_product(session, full)
    path = f"{PATH}/{empty.id}"
    assert_problem(await admin_client.delete(path), 428, "precondition_required")
    assert_problem(await admin_client.patch(path, json={}), 428, "precondition_required")
    assert_problem(await admin_client.delete(path, headers={"If-Match": '"7"'}), 412, "version_mismatch")
    assert (await admin_client.delete(path, headers={"If-Match": '"1"'})).status_code == 204
    refused = await admin_client.delete(f"{PATH}/{full.id}", headers={"If-Match": '"1"'})
    assert_problem(refused, 409, "category_in_use")
    assert [one["id"] for one in (await admin_client.get(PATH)).json()["items"]] == [str(full.id)]
    assert_problem(await admin_client.delete(UNKNOWN, headers={"If-Match": "*"}), 404, "category_not_found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"slug": "Not a slug", "name": "x"}, "#/slug"),
        ({"slug": "a--b", "name": "x"}, "#/slug"),
        ({"slug": "a", "name": ""}, "#/name"),
        ({"slug": "a", "name": "x", "position": -1}, "#/position"),
        ({"slug": "a", "name": "x", "color": "red"}, "#/color"),
    ],
)
async def test_mistakes_are_pointed_at(admin_client: httpx.AsyncClient, body: dict[str, object], pointer: str):
    problem = assert_problem(await admin_client.post(PATH, json=body), 422, "validation_failed")
    assert problem["errors"][0]["pointer"] == pointer


async def test_a_slug_is_taken_once(admin_client: httpx.AsyncClient):
    body = {"slug": "lamps", "name": "Lamps"}
    assert (await admin_client.post(PATH, json=body)).status_code == 201
    assert_problem(await admin_client.post(PATH, json=body), 409, "slug_taken")


async def test_customers_may_not(authenticated_client: httpx.AsyncClient, client: httpx.AsyncClient):
    headers = {"If-Match": "*"}
    assert_problem(await authenticated_client.post(PATH, json={}), 403, "permission_denied")
    assert_problem(await authenticated_client.patch(UNKNOWN, json={}, headers=headers), 403, "permission_denied")
    assert_problem(await authenticated_client.delete(UNKNOWN, headers=headers), 403, "permission_denied")
    assert (await client.post(PATH, json={})).status_code == 401
