"""What is sealed comes back under its own key and for its own row only."""

import base64

import pytest
from cryptography.fernet import Fernet

from db.auth.errors import SealingUnavailable
from db.auth.sealing import KEY_ID_BYTES, Sealer

OLD, NEW = Fernet.generate_key().decode(), "0123456789abcdef" * 4


def test_comes_back_and_is_never_the_same_twice() -> None:
    sealer = Sealer([OLD])
    first, second = sealer.seal(b"seed", "of ada"), sealer.seal(b"seed", "of ada")
    assert first != second
    assert b"seed" not in first
    assert sealer.open(first, "of ada") == sealer.open(second, "of ada") == b"seed"


def test_names_the_key_that_opens_it() -> None:
    sealed = Sealer([OLD]).seal(b"seed", "of ada")
    rotating = Sealer([NEW, OLD])
    assert rotating.open(sealed, "of ada") == b"seed"
    assert not sealed.startswith(rotating.prefix)
    again = rotating.seal(b"seed", "of ada")
    assert again.startswith(rotating.prefix)
    assert Sealer([NEW]).open(again, "of ada") == b"seed"
    with pytest.raises(SealingUnavailable):
        Sealer([NEW]).open(sealed, "of ada")


def test_moved_to_another_row_it_is_void() -> None:
    sealer = Sealer([OLD])
    with pytest.raises(SealingUnavailable):
        sealer.open(sealer.seal(b"seed", "of eve"), "of ada")


@pytest.mark.parametrize("place", [0, 1, 1 + KEY_ID_BYTES, -1])
def test_one_changed_bit_is_noticed(place: int) -> None:
    sealer = Sealer([OLD])
    damaged = bytearray(sealer.seal(b"seed", "of ada"))
    damaged[place] ^= 1
    with pytest.raises(SealingUnavailable):
        sealer.open(bytes(damaged), "of ada")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(15), base64.b64encode(b"plain text as it was")])
def test_what_was_not_sealed_is_refused(sealed: bytes) -> None:
    with pytest.raises(SealingUnavailable):
        Sealer([OLD]).open(sealed, "of ada")


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(SealingUnavailable):
        Sealer([]).seal(b"seed", "of ada")
