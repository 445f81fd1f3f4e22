"""Secrets that are stored hashed only."""

import string

import pytest

from db.auth import credentials


def test_a_child_follows_from_parent_and_nonce_and_from_nothing_less() -> None:
    parent, nonce = credentials.new_refresh_token(), credentials.new_nonce()
    child = credentials.child_refresh_token(parent, nonce)
    assert child == credentials.child_refresh_token(parent, nonce)
    assert child != credentials.child_refresh_token(parent, credentials.new_nonce())
    assert child != credentials.child_refresh_token(credentials.new_refresh_token(), nonce)
    assert child.startswith("mrt_")
    assert len(child) == len(parent) == 47, "256 bits each"


def test_tokens_do_not_repeat() -> None:
    assert len({credentials.new_refresh_token() for _ in range(200)}) == 200
    assert len({credentials.new_api_key().text for _ in range(200)}) == 200


def test_a_key_is_read_back_as_public_id_and_hash() -> None:
    key = credentials.new_api_key()
    assert credentials.parse_api_key(key.text) == (key.public_id, key.secret_sha256)
    assert key.text.split("_")[2] == key.public_id


@pytest.mark.parametrize("position", [0, 8, 12, 20, 40, -1])
def test_one_wrong_character_is_noticed_without_a_query(position: int) -> None:
    text = credentials.new_api_key().text
    other = next(c for c in string.ascii_letters if c != text[position])
    damaged = text[:position] + other + (text[position + 1 :] if position != -1 else "")
    assert credentials.parse_api_key(damaged) is None


@pytest.mark.parametrize("text", ["", "sk_live_", "sk_live_" + "a" * 200, "Bearer x", "sk_live_\x00"])
def test_what_cannot_be_a_key_is_none(text: str) -> None:
    assert credentials.parse_api_key(text) is None
