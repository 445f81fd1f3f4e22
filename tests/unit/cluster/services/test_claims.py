"""Who claimed a port first has it, until they end."""

from cluster.services import claims
from cluster.services.ports import free_port
from tests.fixtures.claims import claimed_by_another


def test_a_claimed_port_is_not_another_s_until_its_claimer_is_gone() -> None:
    port = free_port()
    with claims.released(), claimed_by_another(port) as told:
        assert told == [True]
        assert claims.is_claimed_elsewhere(port)
        assert not claims.claim(port)
    assert not claims.is_claimed_elsewhere(port), "it was killed"


def test_what_is_ours_is_not_elsewhere_and_is_given_back_at_the_end() -> None:
    port = free_port()
    with claims.released():
        assert claims.claim(port)
        assert claims.claim(port)
        assert not claims.is_claimed_elsewhere(port)
        with claimed_by_another(port) as told:
            assert told == [False]
    with claimed_by_another(port) as told:
        assert told == [True]


def test_only_what_was_claimed_meanwhile_is_given_back() -> None:
    kept, given = free_port(), free_port()
    with claims.released():
        claims.claim(kept)
        with claims.released():
            claims.claim(given)
        with claimed_by_another(kept) as first, claimed_by_another(given) as second:
            assert (first, second) == ([False], [True])
        claims.release([given])
        assert not claims.is_claimed_elsewhere(kept)
