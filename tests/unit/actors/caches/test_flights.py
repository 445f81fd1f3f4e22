import msgspec

from actors.caches.flights import LOAD_LIMIT_S, Flights, answer
from actors.caches.wire import Down, Lease, Value
from actors.links.stream import ClientStream

decoder = msgspec.msgpack.Decoder(Down)


class Process:
    """A client's stream, and what it was told."""

    def __init__(self, name: str) -> None:
        self.stream = ClientStream(name, 1, lambda _: b"", 0.0)
        self.alive = True

    @property
    def told(self) -> list[Down]:
        return [decoder.decode(item) for item in self.stream.take()[1]]


def flights_of(*processes: Process) -> Flights:
    return Flights(lambda stream: any(one.stream is stream and one.alive for one in processes))


def test_one_loads_and_the_others_get_its_value() -> None:
    a, b = Process("a"), Process("b")
    flights = flights_of(a, b)
    assert flights.join("k", a.stream, 1)
    flights.lease("k", 0)
    assert not flights.join("k", b.stream, 7)
    lease = a.told[0]
    assert isinstance(lease, Lease)
    assert b.told == []
    flight = flights.land("k", lease.token)
    assert flight is not None
    answer(flight, b"1", 500, ())
    assert b.told == [Value(7, b"1", 500, ())]
    assert len(flights) == 0


def test_an_invalidation_voids_the_load_and_starts_another_for_those_who_wait() -> None:
    a, b = Process("a"), Process("b")
    flights = flights_of(a, b)
    flights.join("k", a.stream, 1)
    flights.lease("k", 0)
    flights.join("k", b.stream, 2)
    stale = a.told[0]
    assert isinstance(stale, Lease)
    flights.void_all(1)
    assert flights.land("k", stale.token) is None
    fresh = b.told[0]
    assert isinstance(fresh, Lease)
    assert flights.land("k", fresh.token) is not None


def test_a_void_load_that_nobody_waits_for_is_forgotten() -> None:
    a = Process("a")
    flights = flights_of(a)
    flights.join("k", a.stream, 1)
    flights.lease("k", 0)
    flights.void(["k"], 1)
    assert len(flights) == 0
    assert flights.join("k", a.stream, 2)


def test_a_loader_that_gives_up_dies_or_hangs_is_followed_by_the_next() -> None:
    for ending in ("gives up", "dies", "hangs"):
        a, b = Process("a"), Process("b")
        flights = flights_of(a, b)
        flights.join("k", a.stream, 1)
        flights.lease("k", 0)
        flights.join("k", b.stream, 2)
        lease = a.told[0]
        assert isinstance(lease, Lease)
        flights.expire(LOAD_LIMIT_S - 1)
        assert b.told == []
        if ending == "gives up":
            flights.fail("k", lease.token, 1)
        elif ending == "dies":
            a.alive = False
            flights.expire(1)
        else:
            flights.expire(LOAD_LIMIT_S)
        assert isinstance(b.told[0], Lease), ending
        assert flights.land("k", lease.token) is None


def test_waiters_that_are_gone_are_passed_over() -> None:
    a, b = Process("a"), Process("b")
    flights = flights_of(a, b)
    flights.join("k", a.stream, 1)
    flights.join("k", b.stream, 2)
    a.alive = False
    flights.lease("k", 0)
    assert a.told == []
    assert isinstance(b.told[0], Lease)
    b.alive = False
    flights.expire(0)
    assert len(flights) == 0
