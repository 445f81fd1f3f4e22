"""Codes: those of RFC 6238, one step early and one late, each once."""

import base64

import pytest

from db.auth import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()
AT = 1_111_111_111


@pytest.mark.parametrize(
    ("at", "code"), [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
)
def test_agrees_with_the_rfc(at: int, code: str) -> None:
    assert totp.matching_step(SECRET, code, at=at, after=None) == at // 30


@pytest.mark.parametrize(("late", "accepted"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_clocks_may_differ_by_one_step(late: int, accepted: bool) -> None:
    step = totp.matching_step(SECRET, "050471", at=AT + late, after=None)
    assert (step == AT // 30) is accepted


def test_a_used_step_and_those_before_it_are_spent() -> None:
    assert totp.matching_step(SECRET, "050471", at=AT, after=AT // 30 - 1) == AT // 30
    assert totp.matching_step(SECRET, "050471", at=AT, after=AT // 30) is None
    assert totp.matching_step(SECRET, "050471", at=AT, after=AT // 30 + 1) is None


@pytest.mark.parametrize("code", ["", "50471", "0504711", "05047x", "٠٥٠٤٧١"])
def test_other_texts_are_no_codes(code: str) -> None:
    assert totp.matching_step(SECRET, code, at=AT, after=None) is None


def test_secrets_are_long_and_new() -> None:
    first, second = totp.new_secret(), totp.new_secret()
    assert first != second
    assert len(base64.b32decode(first)) == 20


def test_the_uri_says_whose_it_is() -> None:
    uri = totp.uri(SECRET, account="ada@example.com", issuer="Mobula")
    assert uri.startswith("otpauth://totp/Mobula:ada%40example.com?secret=")
    assert "issuer=Mobula" in uri
