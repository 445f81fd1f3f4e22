"""Orders for others."""

from sqlalchemy import text

from tests.factories.products import make_product
from tests.fixtures.client import Api, SignIn, assert_problem


async def test_an_operator_orders_for_a_customer(api: Api, sign_in: SignIn):
    operator, customer, other = await sign_in(roles=("operator",)), await sign_in(), await sign_in()
    async with api.database.transaction() as session:
        lamp = await make_product(session, stock=5)
    path = f"/api/v1/users/{customer.user.id}/orders"
    body = {"lines": [{"product_id": str(lamp.id), "quantity": 2}]}
    placed = await operator.http.post(path, json=body, headers={"Idempotency-Key": "once"})
    assert placed.status_code == 201, placed.text
    again = await operator.http.post(path, json=body, headers={"Idempotency-Key": "once"})
    assert (again.json(), again.headers["idempotent-replayed"]) == (placed.json(), "true")
    assert placed.json()["user_id"] == str(customer.user.id)
    assert (await customer.http.get(placed.headers["location"])).status_code == 200
    async with api.database.transaction(read_only=True) as session:
        assert list(await session.scalars(text("SELECT changed_by FROM app.order_status_history"))) == [
            operator.user.id
        ]
    assert (await customer.http.post(path, json=body)).status_code == 201, "one's own"
    assert_problem(await other.http.post(path, json=body), 404, "user_not_found")
