"""Orders for others."""

from decimal import Decimal

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


async def test_a_new_price_is_a_conflict_and_agreeing_to_it_is_the_same_order(api: Api, sign_in: SignIn):
    customer = await sign_in()
    async with api.database.transaction() as session:
        lamp = await make_product(session, name="Lamp", price=Decimal("24.90"), stock=5)

    def order(price: str, quantity: int = 1):
        line = {"product_id": str(lamp.id), "quantity": quantity, "expected_price": price, "expected_currency": "EUR"}
        return customer.http.post("/api/v1/orders", json={"lines": [line]}, headers={"Idempotency-Key": "once"})

    problem = assert_problem(await order("19.90"), 409, "price_changed")
    assert problem["lines"] == [{"product_id": str(lamp.id), "name": "Lamp", "price": "24.90", "currency": "EUR"}]
    placed = await order("24.90")
    assert placed.status_code == 201, placed.text
    # The answer was lost, and the price has moved on: agreeing to that one finds the order that is placed.
    again = await order("29.90")
    assert (again.json(), again.headers["idempotent-replayed"]) == (placed.json(), "true")
    assert_problem(await order("24.90", quantity=2), 422, "idempotency_key_reused")
    assert_problem(await order("-1"), 422, "validation_failed")
