"""A letter becomes one message, whatever is tried again."""

from tasks.mail.posting import post
from tasks.mail.templates import welcome
from tests.fixtures.jobs import Bench
from tests.fixtures.transactions import in_transaction, rows


async def test_is_queued_once_per_key(bench: Bench) -> None:
    letter = welcome("ada", "http://shop.test")
    for key in ("one", "one", "two"):
        await in_transaction(bench.database, lambda s, k=key: post(s, k, "welcome", "ada@example.org", letter))
    found = await rows(bench.database, "SELECT subject, body_text, body_html FROM app.mail_messages")
    assert found == [(letter.subject, letter.text, letter.html)] * 2
    assert len([kind for kind, _ in await bench.drain() if kind == "mail.send"]) == 2
