"""Keys of a map against a plain dict, and every condition and limit."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.brokers import map_state
from actors.brokers.contract import BrokerError
from actors.brokers.map_state import NEVER, Draft, MapState, Value
from actors.brokers.operations import KeyChange, Publish
from actors.protocol.namespace_groups import MapOptions


def options(**changed) -> MapOptions:
    given = {"mode": "recoverable", "key_ttl_s": 10, "max_keys": 4, "max_key_bytes": 4, "max_value_bytes": 9}
    return MapOptions(**{**given, "max_bytes": 30, **changed})


def op(key: str, data: bytes | None = b"v", *, version=0, version_epoch="", **change) -> Publish:
    made = KeyChange(key, removed=data is None, **change)
    return Publish(1, "m", data or b"", "id", version=version, version_epoch=version_epoch, change=made)


def value(data: bytes, offset: int, score: int = 0, **fields) -> Value:
    return Value(b"pub " + data, data, offset, score, **fields)


def pages(state: MapState, limit: int, *, ascending: bool = False, upto: int | None = None) -> list[bytes]:
    found: list[bytes] = []
    cursor = ""
    while True:
        page = state.page(cursor, limit, ascending=ascending, upto=upto)
        assert len(page.pubs) <= limit
        found += page.pubs
        if not page.cursor:
            return found
        cursor = page.cursor


class Against(RuleBasedStateMachine):
    """Any sequence of changes leaves what a dict would contain, in the order of score and key."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, tuple[bytes, int, int, float]] = {}
        self.offset = 0
        self.now = 0.0
        self.state = MapState(options(max_keys=100, max_bytes=10_000, ordered=True))

    @rule(key=st.sampled_from("abcdefgh"), data=st.binary(max_size=9), score=st.integers(-3, 3), ttl=st.integers(1, 9))
    def put(self, key, data, score, ttl):
        self.offset += 1
        assert self.state.decide(op(key, data, score=score, ttl_s=ttl), Draft(), "e", self.offset) == ""
        self.state.put(key, value(data, self.offset, score, expires=self.now + ttl))
        self.model[key] = (data, self.offset, score, self.now + ttl)

    @rule(key=st.sampled_from("abcdefgh"))
    def remove(self, key):
        reason = self.state.decide(op(key, None), Draft(), "e", self.offset + 1)
        assert (reason == "") == (key in self.model)
        self.state.remove(key)
        self.model.pop(key, None)

    @rule(seconds=st.floats(0, 6))
    def time(self, seconds):
        self.now += seconds
        for key in self.state.expired(self.now, 100):
            assert self.model.pop(key)[3] <= self.now
            self.state.remove(key)

    @rule(limit=st.integers(1, 5), ascending=st.booleans(), back=st.integers(0, 3))
    def read(self, limit, ascending, back):
        upto = self.offset - back
        wanted = sorted(
            ((score, key, data) for key, (data, offset, score, _) in self.model.items() if offset <= upto),
            reverse=not ascending,
        )
        assert pages(self.state, limit, ascending=ascending, upto=upto) == [b"pub " + data for _, _, data in wanted]

    @invariant()
    def same(self):
        assert {key: value.data for key, value in self.state.values.items()} == {k: v[0] for k, v in self.model.items()}
        assert self.state.bytes == sum(len(key) + len(v[0]) for key, v in self.model.items())
        assert self.state.next_expiry == min((v[3] for v in self.model.values()), default=NEVER)
        assert len(self.state._deadlines) <= 2 * len(self.model) + map_state.SLACK + 1


TestAgainstADict = Against.TestCase
TestAgainstADict.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_unordered_pages_come_by_key():
    state = MapState(options())
    for number, key in enumerate("cab"):
        state.put(key, value(key.encode(), number + 1, score=number))
    assert pages(state, 1) == [b"pub a", b"pub b", b"pub c"]


def test_a_page_ends_when_it_is_large(monkeypatch):
    monkeypatch.setattr(map_state, "PAGE_BYTES", 10)
    state = MapState(options(max_keys=100))
    for key in "abcd":
        state.put(key, value(key.encode() * 9, 1))
    assert len(state.page("", 100, ascending=True).pubs) == 1
    assert len(pages(state, 100)) == 4


@pytest.mark.parametrize("cursor", ["x", "1", "a:b", ":k"])
def test_a_cursor_from_elsewhere_is_refused(cursor):
    with pytest.raises(BrokerError) as caught:
        MapState(options()).page(cursor, 1, ascending=True)
    assert caught.value.code == 107


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (op("a", mode="if_new"), "key_exists"),
        (op("n", mode="if_new"), ""),
        (op("a", mode="if_exists"), ""),
        (op("n", mode="if_exists"), "key_not_found"),
        (op("n", None), "key_not_found"),
        (op("a", None), ""),
        (op("a", version=5), "version"),
        (op("a", version=6), ""),
        (op("a", version=5, version_epoch="other"), ""),
        (op("n", version=1), ""),
        (op("a", expected=("e", 7)), ""),
        (op("a", expected=("e", 6)), "position_mismatch"),
        (op("a", expected=("x", 7)), "position_mismatch"),
        (op("n", expected=("e", 0)), ""),
    ],
)
def test_conditions(change, reason):
    state = MapState(options())
    state.put("a", value(b"v", 7, version=5))
    assert state.decide(change, Draft(), "e", 8) == reason


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (op(""), 107),
        (op("abcde"), 107),
        (op("€€"), 107),
        (Publish(1, "m", b"v", "id"), 107),
        (op("a", b"0123456789"), 106),
        (op("new"), 106),
        (op("a", b"012345678"), 0),
    ],
)
def test_limits(change, code):
    state = MapState(options(max_bytes=17))
    for key in "abcd":
        state.put(key, value(b"v", 1))
    if code:
        with pytest.raises(BrokerError) as caught:
            state.decide(change, Draft(), "e", 2)
        assert caught.value.code == code
    else:
        assert state.decide(change, Draft(), "e", 2) == ""
        with pytest.raises(BrokerError, match="17 bytes"):
            MapState.decide(state, op("b", b"012"), (draft := Draft(bytes=9)), "e", 2)
        assert draft.values == {}


def test_what_is_decided_counts_for_what_follows():
    state, draft = MapState(options(max_keys=2)), Draft()
    assert state.decide(op("a", mode="if_new"), draft, "e", 1) == ""
    assert state.decide(op("a", mode="if_new"), draft, "e", 2) == "key_exists"
    assert state.decide(op("b"), draft, "e", 2) == ""
    with pytest.raises(BrokerError, match="as many"):
        state.decide(op("c"), draft, "e", 3)
    assert state.decide(op("a", None), draft, "e", 3) == ""
    assert state.decide(op("a", None), draft, "e", 4) == "key_not_found"
    assert state.decide(op("c", expected=("e", 0)), draft, "e", 4) == ""
    assert state.decide(op("c", expected=("e", 4), version=3), draft, "e", 5) == ""
    assert state.decide(op("c", version=3), draft, "e", 6) == "version"
    assert not state.values


def test_load_replaces_everything():
    state = MapState(options())
    state.put("a", value(b"1", 1, expires=3.0))
    state.load([("b", value(b"22", 5)), ("c", value(b"3", 6))])
    assert pages(state, 1) == [b"pub 22", b"pub 3"]
    assert state.bytes == 5
    assert state.next_expiry == NEVER


def test_a_key_with_two_equal_deadlines_expires_once():
    state = MapState(options())
    for number in (1, 2):
        state.put("a", value(b"x", number, 0, expires=5.0))
    assert state.expired(5.0, 10) == ["a"]
