import contextlib

import pytest

from serve_app.edge import admission
from serve_app.edge.admission import ADDRESS_BURST_S, BURST_S, MAX_WAIT_S, Admission, ConnectRefused

OFFICE = "203.0.113.7"


def gate(rate: float = 100.0, address_rate: float = 0.0, cap: int = 0) -> Admission:
    return Admission(
        rate_per_s=rate,
        address_rate_per_s=address_rate,
        unauthenticated_per_address=cap,
        exempt=["127.0.0.1"],
        jitter=lambda: 0.0,
    )


def test_a_storm_is_admitted_at_the_rate_and_the_rest_told_when_to_come_back() -> None:
    admitted = gate(rate=100)
    waits: list[float] = []
    refused: list[ConnectRefused] = []
    for number in range(1000):
        try:
            waits.append(admitted.ask(f"10.0.0.{number}", 0, 50.0))
        except ConnectRefused as reason:
            refused.append(reason)
    at_once = [wait for wait in waits if not wait]
    assert len(at_once) == 100 * BURST_S + 1
    assert len(waits) == 100 * (BURST_S + MAX_WAIT_S) + 1
    later = [wait for wait in waits if wait]
    assert later == sorted(later)
    assert later[-1] <= MAX_WAIT_S
    assert {(reason.status, reason.code, reason.retry_after_s) for reason in refused} == {(503, "connect_rate", 4)}


def test_who_is_refused_does_not_put_the_others_off() -> None:
    admitted = gate(rate=10)
    for _ in range(500):
        with contextlib.suppress(ConnectRefused):
            admitted.ask(OFFICE, 0, 0.0)
    assert admitted.ask(OFFICE, 0, BURST_S + MAX_WAIT_S) <= MAX_WAIT_S


def test_quiet_time_is_not_saved_up_beyond_the_burst() -> None:
    admitted = gate(rate=10)
    admitted.ask(OFFICE, 0, 0.0)
    assert sum(admitted.ask(OFFICE, 0, 1000.0) == 0 for _ in range(30)) == 10 * BURST_S + 1


def test_an_address_has_a_rate_of_its_own() -> None:
    admitted = gate(rate=0, address_rate=2)
    for _ in range(int(2 * ADDRESS_BURST_S) + 1):
        assert admitted.ask(OFFICE, 0, 0.0) == 0
    with pytest.raises(ConnectRefused) as refused:
        admitted.ask(OFFICE, 0, 0.0)
    assert (refused.value.status, refused.value.code) == (429, "connect_rate_per_address")
    assert refused.value.retry_after_s >= 1
    assert admitted.ask("198.51.100.1", 0, 0.0) == 0
    assert admitted.ask(OFFICE, 0, 1.0) == 0


def test_a_subscriber_s_64_bits_of_ipv6_are_one_address() -> None:
    admitted = gate(rate=0, address_rate=2)
    for number in range(int(2 * ADDRESS_BURST_S) + 1):
        admitted.ask(f"2001:db8::{number:x}", 0, 0.0)
    with pytest.raises(ConnectRefused):
        admitted.ask("2001:db8::ffff", 0, 0.0)
    assert admitted.ask("2001:db8:0:1::1", 0, 0.0) == 0
    assert admitted.ask("::ffff:203.0.113.7", 0, 0.0) == admitted.ask("::ffff:203.0.113.8", 0, 0.0) == 0


def test_connections_that_have_not_authenticated_are_capped_per_address() -> None:
    admitted = gate(cap=3)
    assert admitted.ask(OFFICE, 2, 0.0) == 0
    with pytest.raises(ConnectRefused) as refused:
        admitted.ask(OFFICE, 3, 0.0)
    assert (refused.value.status, refused.value.code) == (429, "unauthenticated_per_address")


@pytest.mark.parametrize("address", ["127.0.0.1", ""])
def test_our_own_proxies_stand_for_anybody(address: str) -> None:
    admitted = gate(rate=0, address_rate=1, cap=1)
    assert [admitted.ask(address, 1000, 0.0) for _ in range(100)] == [0.0] * 100


def test_without_rates_nobody_waits() -> None:
    admitted = gate(rate=0)
    assert {admitted.ask(OFFICE, 10_000, 0.0) for _ in range(1000)} == {0.0}


def test_addresses_are_remembered_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "ADDRESSES", 10)
    admitted = gate(rate=0, address_rate=0.01)
    for number in range(100):
        admitted.ask(f"10.0.0.{number}", 0, 0.0)
    assert len(admitted._next_of) == 10
    with pytest.raises(ConnectRefused):
        admitted.ask("10.0.0.99", 0, 0.0)
    admitted.ask("10.0.0.1", 0, 0.0)


def test_hints_are_spread() -> None:
    hints = set()
    for luck in (0.0, 0.5, 0.99):
        admitted = Admission(
            rate_per_s=1, address_rate_per_s=0, unauthenticated_per_address=0, exempt=(), jitter=lambda luck=luck: luck
        )
        for _ in range(5):
            admitted.ask(OFFICE, 0, 0.0)
        with pytest.raises(ConnectRefused) as refused:
            admitted.ask(OFFICE, 0, 0.0)
        hints.add(refused.value.retry_after_s)
    assert len(hints) == 3
