"""Where operators are operators (OPERATOR_NETWORKS)."""

import httpx
import pytest

from tests.fixtures.client import Api, SignIn, StartApi, assert_problem

INSIDE, OUTSIDE = "10.1.2.3", "192.0.2.1"


@pytest.fixture
async def api(start_api: StartApi) -> Api:
    return await start_api(operator_networks=["10.0.0.0/8", "2001:db8::/32"])


async def test_elsewhere_an_operator_is_a_customer(api: Api, sign_in: SignIn) -> None:
    person = await sign_in(roles=("admin",))
    authorization = {"Authorization": person.http.headers["authorization"]}
    for address in (INSIDE, "::ffff:10.1.2.3", "2001:db8::7"):
        async with api.client(address=address, headers=authorization) as http:
            assert (await http.get("/api/v1/users")).status_code == 200, address
    async with api.client(address=OUTSIDE, headers=authorization) as http:
        assert_problem(await http.get("/api/v1/users"), 403, "permission_denied")
        assert (await http.get("/api/v1/orders")).status_code == 200
        me = (await http.get("/api/v1/auth/me")).json()
        assert "users:write" not in me["permissions"]
        assert "orders:place" in me["permissions"]


async def test_a_key_takes_nothing_out(api: Api, sign_in: SignIn) -> None:
    person = await sign_in(roles=("admin",))
    authorization = {"Authorization": person.http.headers["authorization"]}
    keys = "/api/v1/auth/api-keys"

    async def make(http: httpx.AsyncClient, *scopes: str) -> httpx.Response:
        return await http.post(keys, json={"name": "k", "scopes": list(scopes)})

    async with api.client(address=OUTSIDE, headers=authorization) as http:
        assert_problem(await make(http, "users:read"), 403, "scope_not_held")
        assert (await make(http, "orders:read")).status_code == 201
    async with api.client(address=INSIDE, headers=authorization) as http:
        made = (await make(http, "users:read")).json()
    async with api.client(address=OUTSIDE, headers=authorization) as http:
        rotated = await http.post(f"{keys}/{made['id']}/rotate", json={"overlap_hours": 0})
        assert_problem(rotated, 403, "scope_not_held")
    # Keys are for machines, and have lists of their own.
    async with api.client(address=OUTSIDE, headers={"X-API-Key": made["key"]}) as machine:
        assert (await machine.get("/api/v1/users")).status_code == 200


async def test_without_a_list_everywhere_will_do(start_api: StartApi, sign_in: SignIn) -> None:
    person = await sign_in(roles=("admin",))
    other = await start_api()
    async with other.client(address=OUTSIDE, headers={"Authorization": person.http.headers["authorization"]}) as http:
        assert (await http.get("/api/v1/users")).status_code == 200
