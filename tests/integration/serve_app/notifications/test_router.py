"""Notifications."""

from typing import Any

from db.notifications.service import notify
from tests.fixtures.client import Api, SignIn, assert_problem


async def test_lists_and_marks_as_read(api: Api, sign_in: SignIn):
    mine, theirs = await sign_in(), await sign_in()
    async with api.database.transaction() as session:
        for number in range(3):
            await notify(session, mine.user.id, kind="note", title=f"Note {number}")
    body = (await mine.http.get("/api/v1/notifications", params={"limit": 2})).json()
    assert [item["title"] for item in body["items"]] == ["Note 2", "Note 1"]
    assert body["total"] == 3
    path = body["items"][0]["_links"]["read"]["href"]
    assert_problem(await theirs.http.post(path), 404, "notification_not_found")
    assert (await mine.http.post(path)).status_code == 204
    assert (await mine.http.post(path)).status_code == 204
    unread = (await mine.http.get("/api/v1/notifications", params={"unread": True})).json()
    assert [item["title"] for item in unread["items"]] == ["Note 1", "Note 0"]
    assert (await theirs.http.get("/api/v1/notifications")).json()["items"] == []


async def test_cursors(api: Api, sign_in: SignIn):
    person = await sign_in()
    async with api.database.transaction() as session:
        for number in range(3):
            await notify(session, person.user.id, kind="note", title=str(number))
    first = (await person.http.get("/api/v1/notifications", params={"cursor": "", "limit": 2})).json()
    second = (await person.http.get("/api/v1/notifications", params={"cursor": first["next"], "limit": 2})).json()
    assert [item["title"] for item in first["items"] + second["items"]] == ["2", "1", "0"]


async def test_all_of_ones_own_are_marked_as_read(api: Api, sign_in: SignIn):
    mine, theirs = await sign_in(), await sign_in()
    async with api.database.transaction() as session:
        for person in (mine, mine, theirs):
            await notify(session, person.user.id, kind="note", title="Note")
    for _ in range(2):
        assert (await mine.http.post("/api/v1/notifications/read")).status_code == 204
    left = [(await one.http.get("/api/v1/notifications?unread=true")).json()["total"] for one in (mine, theirs)]
    assert left == [0, 1]


async def test_a_page_by_number_says_how_many_are_unread_in_all(api: Api, sign_in: SignIn):
    mine, theirs = await sign_in(), await sign_in()
    async with api.database.transaction() as session:
        for person in (mine, mine, mine, theirs):
            await notify(session, person.user.id, kind="note", title="Note")

    async def page(**params: str | int) -> dict[str, Any]:
        answer: dict[str, Any] = (await mine.http.get("/api/v1/notifications", params=params)).json()
        return answer

    first = await page(limit=1)
    assert first["unread"] == 3
    await mine.http.post(first["items"][0]["_links"]["read"]["href"])
    assert [(found["unread"], found["total"]) for found in (await page(limit=1), await page(unread="true"))] == [
        (2, 3),
        (2, 2),
    ]
    assert (await page(cursor=""))["unread"] is None
