"""Incarnations are in the order of their birth, whatever clocks do."""

from actors.links import incarnations
from actors.links.incarnations import Births, is_older, mint, not_before, term


def test_each_is_younger_than_the_last_even_when_the_clock_stands_still(monkeypatch):
    monkeypatch.setattr(incarnations.time, "time_ns", lambda: 10**18)
    births = Births()
    stamps = [births.stamp() for _ in range(5)]
    assert stamps == sorted(set(stamps))


def test_who_takes_over_begins_above_the_term_that_it_has_heard():
    ahead = term() + 3_600 * 10**9
    before = mint()
    not_before(ahead)
    after = mint()
    assert is_older(before, after)
    assert term() > ahead
    assert int(after[:16], 16) > ahead


def test_names_that_were_not_minted_here_have_no_order():
    name = mint()
    assert not is_older("inc-1", "inc-2")
    assert not is_older("", name)
    assert not is_older(name, name)
