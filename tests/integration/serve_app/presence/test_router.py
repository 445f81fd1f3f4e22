"""Presence of users over REST."""

import httpx

from actors.sessions.contract import SessionRecord, SessionsUnreachable
from tests.fixtures.client import Api, SignIn, assert_problem


async def test_who_is_online_and_what_they_say(api: Api, sign_in: SignIn, monkeypatch):
    ada, bob = await sign_in(), await sign_in()

    async def connections(user: str):
        tabs = 2 if user == str(bob.user.id) else 0
        return [SessionRecord(f"c{n}", user, "", "hub", "websocket", 1) for n in range(tabs)]

    monkeypatch.setattr(api.sessions, "connections", connections)
    said = await bob.http.put("/api/v1/presence/me", json={"status": "busy", "message": "writing", "expires_in": 60})
    assert (said.status_code, said.json()["status"], said.json()["online"]) == (200, "busy", True)
    users = [str(ada.user.id), str(bob.user.id), "somebody else's"]
    answer = await ada.http.get("/api/v1/presence", params={"user": users})
    offline, online, unknown = answer.json()["items"]
    assert (offline["online"], offline["status"], offline["last_active_at"] is not None) == (False, "", True)
    assert (online["online"], online["connections"], online["message"]) == (True, 2, "writing")
    assert (unknown["online"], unknown["last_active_at"]) == (False, None)
    assert (await ada.http.get("/api/v1/presence/me")).json()["user"] == str(ada.user.id)


async def test_refusals(api: Api, sign_in: SignIn, client: httpx.AsyncClient, monkeypatch):
    ada = await sign_in()
    assert (await client.get("/api/v1/presence", params={"user": "u"})).status_code == 401
    assert (await ada.http.get("/api/v1/presence")).status_code == 422
    assert (await ada.http.put("/api/v1/presence/me", json={"status": "sleepy"})).status_code == 422

    async def away(user: str):
        raise SessionsUnreachable("no shard")

    monkeypatch.setattr(api.sessions, "connections", away)
    assert_problem(await ada.http.get("/api/v1/presence/me"), 503, "unavailable")
    api.resources.actors.sessions = None
    assert (await ada.http.get("/api/v1/presence/me")).status_code == 503
