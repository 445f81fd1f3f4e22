"""Signed cursors and links."""

import pytest
import time_machine

from serve_app.security.links import LinkExpired, LinkInvalid, LinkSigner

SIGNER = LinkSigner(b"sixteen bytes at least")


def test_cursors_come_back_to_their_list():
    cursor = SIGNER.sign_cursor("/users", {"v": ["a", "b"]})
    assert SIGNER.read_cursor("/users", cursor) == {"v": ["a", "b"]}
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    with pytest.raises(LinkInvalid):
        SIGNER.read_cursor("/orders", cursor)


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "ü", "A" * 40])
def test_nonsense_is_refused(cursor: str):
    with pytest.raises(LinkInvalid):
        SIGNER.read_cursor("/users", cursor)


def test_every_changed_character_is_noticed():
    cursor = SIGNER.sign_cursor("/users", {"v": ["a"]})
    for place, character in enumerate(cursor[:-1]):  # the last one carries padding bits
        changed = cursor[:place] + ("A" if character != "A" else "B") + cursor[place + 1 :]
        with pytest.raises(LinkInvalid):
            SIGNER.read_cursor("/users", changed)


def test_links_work_until_their_time_is_over():
    with time_machine.travel(1000, tick=False) as clock:
        signature = SIGNER.sign_link("/files/a", expires_at=1060, subject="ada")
        SIGNER.verify_link("/files/a", expires_at=1060, signature=signature, subject="ada")
        for changes in ({"expires_at": 1061}, {"subject": "eve"}, {"signature": "ü"}, {"signature": ""}):
            with pytest.raises(LinkInvalid):
                SIGNER.verify_link(
                    "/files/a", **({"expires_at": 1060, "signature": signature, "subject": "ada"} | changes)
                )
        with pytest.raises(LinkInvalid):
            SIGNER.verify_link("/files/b", expires_at=1060, signature=signature, subject="ada")
        clock.shift(60)
        with pytest.raises(LinkExpired):
            SIGNER.verify_link("/files/a", expires_at=1060, signature=signature, subject="ada")


def test_a_short_secret_is_refused():
    with pytest.raises(ValueError, match="SECRET_KEY"):
        LinkSigner(b"short")
