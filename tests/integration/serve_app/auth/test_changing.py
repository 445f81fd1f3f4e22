"""PATCH /auth/me."""

import httpx
import pytest

from serve_app.auth.changing import ADDRESS_CHANGES
from tests.fixtures.client import Api, SignIn, assert_problem

EMAIL, PASSWORD = "grace@example.com", "a compiler for everyone"


@pytest.fixture
async def token(client: httpx.AsyncClient) -> str:
    """Grace's access token; she signed up herself, so her password is known."""
    account = {"email": EMAIL, "username": "grace", "password": PASSWORD}
    assert (await client.post("/api/v1/auth/register", json=account)).status_code == 201
    return await log_in(client)


async def log_in(client: httpx.AsyncClient, password: str = PASSWORD) -> str:
    response = await client.post("/api/v1/auth/login", json={"email": EMAIL, "password": password})
    assert response.status_code == 200, response.text
    token: str = response.json()["access_token"]
    return token


async def change(client: httpx.AsyncClient, token: str, **body: object) -> httpx.Response:
    return await client.patch("/api/v1/auth/me", json=body, headers={"Authorization": f"Bearer {token}"})


async def test_name_and_metadata_need_no_password(client: httpx.AsyncClient, token: str):
    response = await change(client, token, full_name="Grace Hopper", metadata={"theme": "dark"})
    assert response.status_code == 200, response.text
    assert response.json()["full_name"] == "Grace Hopper"
    assert response.json()["metadata"] == {"theme": "dark"}


async def test_a_new_address_needs_the_password_and_is_unverified(client: httpx.AsyncClient, token: str):
    missing = assert_problem(await change(client, token, email="new@example.com"), 403, "password_required")
    wrong = await change(client, token, email="new@example.com", current_password="not this one")
    refused = assert_problem(wrong, 403, "wrong_password")
    assert missing["detail"] != refused["detail"]
    assert [item["pointer"] for item in missing["errors"] + refused["errors"]] == ["#/current_password"] * 2
    right = await change(client, token, email="new@example.com", current_password=PASSWORD)
    assert right.json()["email"] == "new@example.com"
    assert right.json()["is_verified"] is False


async def test_an_account_tries_so_many_addresses_an_hour(client: httpx.AsyncClient, token: str, sign_in: SignIn):
    """Each mails somebody, or says that somebody has an account."""
    other = await sign_in()
    for number in range(ADDRESS_CHANGES.quota):
        email = other.user.email if number % 2 else f"grace{number}@example.com"
        answer = await change(client, token, email=email, current_password=PASSWORD)
        assert answer.status_code == (409 if number % 2 else 200), answer.text
    refused = await change(client, token, email="new@example.com", current_password=PASSWORD)
    assert_problem(refused, 429, "too_many_addresses")
    same = await change(client, token, email=f"GRACE{ADDRESS_CHANGES.quota - 2}@example.com", current_password=PASSWORD)
    assert same.status_code == 200, "another way to write the same address is no change"


async def test_the_password_is_confirmed_whatever_strangers_guess(api: Api, client: httpx.AsyncClient, token: str):
    for number in range(10):
        async with api.client(address=f"203.0.113.{number}") as stranger:
            guess = {"email": EMAIL, "password": "a guess of mine"}
            assert (await stranger.post("/api/v1/auth/login", json=guess)).status_code == 401
    answer = await change(client, token, new_password="an even better compiler", current_password=PASSWORD)
    assert answer.status_code == 200, answer.text


async def test_a_new_password_ends_the_other_sessions(client: httpx.AsyncClient, token: str):
    other = await log_in(client)
    new = "an even better compiler"
    assert_problem(await change(client, token, new_password=new), 403, "password_required")
    response = await change(client, token, new_password=new, current_password=PASSWORD)
    assert response.status_code == 200, response.text
    assert (await change(client, token, full_name="Still here")).status_code == 200
    assert_problem(await change(client, other, full_name="Thrown out"), 401, "credential_invalid")
    assert await log_in(client, new)


@pytest.mark.parametrize("new", [PASSWORD, "grace grace1"])
async def test_poor_new_passwords_are_refused(client: httpx.AsyncClient, token: str, new: str):
    response = await change(client, token, new_password=new, current_password=PASSWORD)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "#/new_password"


async def test_a_taken_name_is_409(api: Api, client: httpx.AsyncClient, token: str, sign_in: SignIn):
    other = await sign_in()
    assert_problem(await change(client, token, username=other.user.username.upper()), 409, "username_taken")


@pytest.mark.parametrize("field", ["is_verified", "roles", "is_active", "id"])
async def test_nobody_promotes_themselves(client: httpx.AsyncClient, token: str, field: str):
    assert_problem(await change(client, token, **{field: True}), 422, "validation_failed")
