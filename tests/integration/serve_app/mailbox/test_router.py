"""The development mailbox over HTTP."""

from uuid import UUID, uuid4

from db.mail import service
from db.session import Database
from tests.fixtures.client import Api, SignIn, assert_problem

MAILBOX = "/api/v1/dev/mailbox"


async def capture(database: Database, to: str = "ada@example.org", *, state: str = "captured") -> UUID:
    async with database.transaction() as session:
        mail_id = await service.compose(
            session,
            idempotency_key=str(uuid4()),
            template="t",
            to_address=to,
            subject=f"To {to}",
            body_text="hello",
            body_html="<p>hello</p>",
        )
        await service.mark(session, mail_id, state)
    return mail_id


async def test_shows_captured_mail_only(api: Api, sign_in: SignIn) -> None:
    first, second = await capture(api.database), await capture(api.database, "bob@example.org")
    sent = await capture(api.database, state="sent")
    operator = await sign_in(roles=("operator",))
    page = (await operator.http.get(MAILBOX)).json()
    assert [item["id"] for item in page["items"]] == [str(second), str(first)]
    assert page["items"][0]["to"] == "bob@example.org"
    assert "body_text" not in page["items"][0]
    only = (await operator.http.get(MAILBOX, params={"to": "ADA@example.org"})).json()
    assert [item["id"] for item in only["items"]] == [str(first)]
    message = (await operator.http.get(page["items"][1]["_links"]["self"]["href"])).json()
    assert (message["body_text"], message["body_html"]) == ("hello", "<p>hello</p>")
    assert_problem(await operator.http.get(f"{MAILBOX}/{sent}"), 404, "mail_not_found")


async def test_customers_do_not_read_other_people_s_mail(api: Api, sign_in: SignIn) -> None:
    mail_id = await capture(api.database)
    customer = await sign_in()
    for path in (MAILBOX, f"{MAILBOX}/{mail_id}"):
        assert_problem(await customer.http.get(path), 403, "permission_denied")


async def test_in_production_it_does_not_exist(api: Api, sign_in: SignIn) -> None:
    mail_id = await capture(api.database)
    operator = await sign_in(roles=("operator",))
    assert (await operator.http.get(MAILBOX)).status_code == 200
    api.resources.settings = api.resources.settings.model_copy(update={"environment": "production"})
    for path in (MAILBOX, f"{MAILBOX}/{mail_id}"):
        assert_problem(await operator.http.get(path), 404, "mail_not_found")
