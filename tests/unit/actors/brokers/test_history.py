"""The ring against a plain list: whatever is appended, expired, cleared or asked."""

from hypothesis import given
from hypothesis import strategies as st

from actors.brokers.history import Ring
from actors.brokers.memory import Memory

SIZE, TTL = 4, 10.0

steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.floats(0, 3)),
        st.tuples(st.just("expire"), st.floats(0, 15)),
        st.tuples(st.just("drop"), st.integers(0, 30)),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    max_size=40,
)


@given(steps, st.integers(-1, 45), st.one_of(st.none(), st.integers(0, 6)))
def test_the_ring_holds_what_a_list_would(script, offset, limit):
    ring, now, top = Ring(SIZE, TTL), 100.0, 0
    model: list[tuple[int, float]] = []
    for action, argument in script:
        if action == "append":
            now += argument
            top += 1
            ring.append(str(top).encode(), now)
            model = [*model, (top, now)][-SIZE:]
        elif action == "expire":
            now += argument
            ring.expire(now)
            model = [(n, at) for n, at in model if at > now - TTL]
        elif action == "drop":
            ring.drop(argument)
            model = [(n, at) for n, at in model if n > argument]
        else:
            ring.clear(top)
            model = []
    held = [n for n, _ in model]
    assert ring.top == top
    assert ring.base == top - len(held)
    after = [str(n).encode() for n in held if n > offset]
    before = [str(n).encode() for n in reversed(held) if n < offset]
    assert ring.after(offset, limit) == after[:limit]
    assert ring.before(offset, limit) == before[:limit]


def test_after_clearing_offsets_go_on():
    ring = Ring(SIZE, TTL)
    ring.clear(41)
    ring.append(b"42", 0.0)
    assert (ring.base, ring.top, ring.after(41)) == (41, 42, [b"42"])


def test_a_publication_is_replaced_where_it_is():
    memory = Memory()
    ring = Ring(3, TTL, memory=memory)
    for number in range(1, 5):
        ring.append(str(number).encode(), 0.0)
    before = memory.bytes
    assert ring.replace(3, lambda pub: pub + b"!!")
    assert ring.after(0) == [b"2", b"3!!", b"4"]
    assert memory.bytes == before + 2
    assert not any(ring.replace(offset, lambda pub: b"") for offset in (0, 1, 5))
    ring.clear(9)
    assert memory.bytes == 0
