"""Passwords."""

import asyncio

import pytest

from db.auth.hashing import UNUSABLE
from serve_app.security import passwords
from serve_app.security.passwords import (
    HasherBusy,
    PasswordHasher,
    common_passwords,
    normalised_forms,
    validate_password_strength,
)


@pytest.fixture
def hasher():
    made = PasswordHasher(memory_kib=256, time_cost=1, threads=1)
    yield made
    made.close()


async def test_only_the_very_password_matches(hasher: PasswordHasher):
    stored = await hasher.hash("blue kettle on fire")
    assert stored.startswith("$argon2id$")
    assert await hasher.verify("blue kettle on fire", stored)
    assert not await hasher.verify("blue kettle on firE", stored)
    assert not await hasher.verify("blue kettle on fire", None)
    assert not await hasher.verify("blue kettle on fire", "not a hash")


async def test_the_last_of_128_characters_matters(hasher: PasswordHasher):
    stored = await hasher.hash("x" * 127 + "a")
    assert not await hasher.verify("x" * 127 + "b", stored)


@pytest.mark.parametrize("stored", [None, UNUSABLE, "$argon2id$v=19$m=8"])
async def test_accounts_that_do_not_exist_or_have_no_password_cost_a_hash_too(
    hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch, stored: str | None
):
    verified: list[str] = []
    scheme = hasher._scheme

    class Counted:
        hash = staticmethod(scheme.hash)
        identify = staticmethod(scheme.identify)

        @staticmethod
        def verify(password: str, stored: str) -> bool:
            correct = bool(scheme.verify(password, stored))
            verified.append(stored)
            return correct

    monkeypatch.setattr(hasher, "_scheme", Counted)
    assert not await hasher.verify("anything", stored)
    assert len(verified) == 1
    assert verified[0].startswith("$argon2id$")


async def test_weaker_hashes_are_noticed(hasher: PasswordHasher):
    stored = await hasher.hash("blue kettle on fire")
    assert not hasher.needs_rehash(stored)
    stronger = PasswordHasher(memory_kib=512, time_cost=1, threads=1)
    assert stronger.needs_rehash(stored)
    stronger.close()


async def test_a_queue_too_long_is_refused(hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(passwords, "MAX_WAITING", 2)
    answers = await asyncio.gather(*(hasher.hash("x") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, HasherBusy) for answer in answers) == 3


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "alllowercaseletters", "🐢 turtle all the way", "ada writes poetry"]
)
def test_good_ones(password: str):
    assert validate_password_strength(password, ["ada@example.com", "ada"]).acceptable


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "passwordpassword",
        "Password1234!!",
        "P4$$w0rd-2026",
        "123456789012",
        "qwertyuiopqwertyuiop",
        "ababababababab",
        "x" * 129,
        "charles.babbage",
        "babbage12345",
        "mobulamobula",
    ],
)
def test_bad_ones(password: str):
    report = validate_password_strength(password, ["charles.babbage@example.com"])
    assert report.problems
    assert not report.acceptable


def test_every_common_password_of_acceptable_length_is_refused():
    long_enough = [word for word in common_passwords() if len(word) >= passwords.MIN_CHARACTERS]
    assert len(long_enough) > 200
    assert not [word for word in long_enough if common_passwords().isdisjoint(normalised_forms(word))]


def test_advice_comes_with_good_ones_too():
    report = validate_password_strength("correct horse battery staple")
    assert report.acceptable
    assert report.score >= 3
