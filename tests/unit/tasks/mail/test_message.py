"""Mail that cannot be turned into other mail."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from db.errors import InvalidInput
from db.mail.models import MailMessage
from tasks.mail.message import make_message


def mail(**values: Any) -> MailMessage:
    given = {
        "id": uuid4(),
        "to_address": "ada@example.org",
        "subject": "Grüße",
        "body_text": "Hello\n.\nBcc: not a header",
        "body_html": "<p>Hello</p>",
        "created_at": datetime(2026, 11, 22, tzinfo=UTC),
    }
    return MailMessage(**(given | values))


def test_both_bodies_and_an_id_that_stays_the_same() -> None:
    row = mail()
    first, second = (make_message(row, sender="Shop <shop@shop.example>") for _ in range(2))
    assert first["Message-ID"] == second["Message-ID"] == f"<{row.id}@shop.example>"
    assert (first["To"], first["Subject"]) == ("ada@example.org", "Grüße")
    assert [part.get_content_type() for part in first.iter_parts()] == ["text/plain", "text/html"]
    assert first["Bcc"] is None


@pytest.mark.parametrize(
    ("address", "to"),
    [
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("josé@straße.example", "josé@xn--strae-oqa.example"),
        ("ada@example.org", "ada@example.org"),
        ("ada@-bücher.example", "ada@-bücher.example"),
    ],
)
def test_a_domain_is_written_so_that_every_server_takes_it(address: str, to: str) -> None:
    assert make_message(mail(to_address=address), sender="shop@shop.example")["To"] == to


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\x00", "\x0b", "\x85", "\u2028"])
@pytest.mark.parametrize("field", ["to_address", "subject"])
def test_a_header_cannot_start_another(field: str, newline: str) -> None:
    with pytest.raises(InvalidInput):
        make_message(mail(**{field: f"x{newline}Bcc: everybody@example.org"}), sender="shop@shop.example")
