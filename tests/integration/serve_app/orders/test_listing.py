"""Pages of orders."""

from tests.factories.orders import make_order
from tests.fixtures.client import Api, SignIn


async def test_both_ways_of_paging_give_the_same_orders(api: Api, sign_in: SignIn):
    person = await sign_in()
    async with api.database.transaction() as session:
        made = [str((await make_order(session, person.user)).id) for _ in range(5)]
    newest_first = list(reversed(made))
    by_number = []
    for page in (1, 2, 3):
        body = (await person.http.get("/api/v1/orders", params={"limit": 2, "page": page})).json()
        by_number += [item["id"] for item in body["items"]]
    by_cursor, cursor = [], ""
    while cursor is not None:
        body = (await person.http.get("/api/v1/orders", params={"limit": 2, "cursor": cursor})).json()
        by_cursor += [item["id"] for item in body["items"]]
        cursor = body["next"]
    assert sorted(by_number) == sorted(made)
    assert by_cursor == by_number
    assert set(newest_first) == set(by_cursor)
