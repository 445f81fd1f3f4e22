"""What authenticators are asked, what is believed of what they answer, and what is not."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from db.passkeys import ceremonies
from db.passkeys.ceremonies import NotVerified, Site
from tests.fixtures.authenticator import ORIGIN, TRUTH, Authenticator, Lie

SITE = Site.of(ORIGIN)
ADA = UUID("0190f6b2-0000-7000-8000-000000000001")
CHALLENGE = b"c" * 32

LIES = {
    "another origin": Lie(origin="https://evil.example"),
    "another port": Lie(origin=f"{ORIGIN}:8080"),
    "another site": Lie(rp_id="evil.example"),
    "another challenge": Lie(challenge=b"d" * 32),
    "nobody verified": Lie(verified=False),
    "nobody there": Lie(present=False),
    "within another page": Lie(cross_origin=True),
    "of another kind": Lie(kind="payment.get"),
}


def asked_for_key(**changes: Any) -> dict[str, Any]:
    values = {"user_id": ADA, "account": "ada@example.com", "person": "Ada", "known": (), "timeout_ms": 1} | changes
    return ceremonies.ask_for_key(SITE, CHALLENGE, **values)


@pytest.fixture
def authenticator() -> Authenticator:
    return Authenticator()


def made(authenticator: Authenticator, lie: Lie = TRUTH) -> ceremonies.NewKey:
    return ceremonies.verify_key(SITE, authenticator.create(asked_for_key(), lie), CHALLENGE)


def answer(authenticator: Authenticator, lie: Lie = TRUTH) -> dict[str, Any]:
    return authenticator.get(ceremonies.ask_who(SITE, CHALLENGE, timeout_ms=1), lie)


class TestSite:
    @pytest.mark.parametrize(
        ("public_url", "site"),
        [
            ("http://localhost:3000", Site("localhost", "http://localhost:3000")),
            ("https://Shop.Example/", Site("shop.example", "https://shop.example")),
            ("https://shop.example:443", Site("shop.example", "https://shop.example")),
            ("https://bücher.example:8443", Site("xn--bcher-kva.example", "https://xn--bcher-kva.example:8443")),
        ],
    )
    def test_is_written_as_browsers_write_it(self, public_url: str, site: Site) -> None:
        assert Site.of(public_url) == site


class TestOptions:
    def test_a_key_that_verifies_its_holder_and_is_found_without_a_name(self) -> None:
        asked = asked_for_key(known=[b"k" * 16])
        assert asked["rp"] == {"id": "shop.test", "name": "Mobula"}
        assert asked["user"] == {"id": bytes_to_base64url(ADA.bytes), "name": "ada@example.com", "displayName": "Ada"}
        assert asked["challenge"] == bytes_to_base64url(CHALLENGE)
        assert asked["attestation"] == "none"
        assert asked["authenticatorSelection"] == {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        }
        assert [known["id"] for known in asked["excludeCredentials"]] == [bytes_to_base64url(b"k" * 16)]

    def test_signing_in_names_no_key(self) -> None:
        asked = ceremonies.ask_who(SITE, CHALLENGE, timeout_ms=1)
        assert (asked["rpId"], asked["userVerification"]) == ("shop.test", "required")
        assert not asked.get("allowCredentials")


class TestNewKeys:
    def test_are_told_apart_by_whether_they_may_be_synced(self) -> None:
        single, many = made(Authenticator()), made(Authenticator(synced=True))
        assert (single.backup_eligible, single.backed_up) == (False, False)
        assert (many.backup_eligible, many.backed_up) == (True, True)

    def test_keep_the_transports_that_there_are(self, authenticator: Authenticator) -> None:
        assert made(authenticator).transports == ("hybrid", "internal")

    @pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
    def test_of_liars_are_refused(self, authenticator: Authenticator, lie: Lie) -> None:
        with pytest.raises(NotVerified):
            made(authenticator, lie)

    def test_a_sign_in_is_no_setup(self, authenticator: Authenticator) -> None:
        made(authenticator)
        with pytest.raises(NotVerified):
            ceremonies.verify_key(SITE, answer(authenticator), CHALLENGE)


class TestAnswers:
    def test_say_what_the_authenticator_counted(self, authenticator: Authenticator) -> None:
        key = made(authenticator)
        found = ceremonies.verify_answer(SITE, answer(authenticator), CHALLENGE, key.public_key)
        assert (found.sign_count, found.backup_eligible, found.backed_up) == (1, False, False)

    @pytest.mark.parametrize("lie", [*LIES.values(), Lie(forged=True)], ids=[*LIES, "another key"])
    def test_of_liars_are_refused(self, authenticator: Authenticator, lie: Lie) -> None:
        key = made(authenticator)
        with pytest.raises(NotVerified):
            ceremonies.verify_answer(SITE, answer(authenticator, lie), CHALLENGE, key.public_key)

    def test_name_their_key_their_user_and_their_challenge(self, authenticator: Authenticator) -> None:
        key = made(authenticator)
        given = answer(authenticator)
        assert ceremonies.credential_id_in(given) == key.credential_id
        assert ceremonies.user_in(given) == ADA
        assert ceremonies.challenge_in(given) == CHALLENGE

    @pytest.mark.parametrize("handle", [None, "", "c2hvcnQ", "%%%"])
    def test_without_a_user_of_ours_are_refused(self, authenticator: Authenticator, handle: str | None) -> None:
        made(authenticator)
        given = answer(authenticator)
        given["response"]["userHandle"] = handle
        with pytest.raises(NotVerified):
            ceremonies.user_in(given)


def test_synced_without_being_able_to_be_is_refused(authenticator: Authenticator) -> None:
    """Flags that contradict each other."""
    key = made(authenticator)
    given = answer(authenticator)
    data = bytearray(base64url_to_bytes(given["response"]["authenticatorData"]))
    data[32] |= 0x10
    given["response"]["authenticatorData"] = bytes_to_base64url(bytes(data))
    with pytest.raises(NotVerified):
        ceremonies.verify_answer(SITE, given, CHALLENGE, key.public_key)


@given(st.binary(max_size=200), st.sampled_from(["clientDataJSON", "attestationObject"]))
def test_nonsense_for_a_new_key_is_refused_and_nothing_else(nonsense: bytes, member: str) -> None:
    given = Authenticator().create(asked_for_key())
    given["response"][member] = bytes_to_base64url(nonsense)
    with pytest.raises(NotVerified):
        ceremonies.verify_key(SITE, given, ceremonies.challenge_in(given) if member != "clientDataJSON" else CHALLENGE)


@given(st.binary(max_size=200), st.sampled_from(["clientDataJSON", "authenticatorData", "signature"]))
def test_nonsense_for_an_answer_is_refused_and_nothing_else(nonsense: bytes, member: str) -> None:
    authenticator = Authenticator()
    key = made(authenticator)
    given = answer(authenticator)
    given["response"][member] = bytes_to_base64url(nonsense)
    with pytest.raises(NotVerified):
        ceremonies.verify_answer(SITE, given, CHALLENGE, key.public_key)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner, max_size=3)))
def test_client_data_that_is_none_has_no_challenge(nonsense: Any) -> None:
    for credential in (nonsense, {"response": nonsense}, {"response": {"clientDataJSON": nonsense}}):
        with pytest.raises(NotVerified):
            ceremonies.challenge_in(credential)
