"""What is told of presence: in the end everybody knows what is so, whatever came and went meanwhile."""

from types import SimpleNamespace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.brokers.contract import ClientInfo
from actors.brokers.view_changes import ViewChanges

KEYS = st.sampled_from("abcdef")


class AgainstWatchers(RuleBasedStateMachine):
    """Watchers read pages at any time and then apply every change: they know what was told, no more and no less."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.changes = ViewChanges()
        self.present: dict[str, SimpleNamespace] = {}
        self.watchers: list[dict[str, ClientInfo]] = []

    def hear(self, told) -> None:
        for change in told:
            for known in self.watchers:
                # Nobody is told what they know, or that something is gone that they never heard of.
                assert change.removed == (known.get(change.key) is not None and change.key not in self.present)
                if change.removed:
                    del known[change.key]
                else:
                    assert known.get(change.key) != change.info
                    known[change.key] = change.info

    @rule(key=KEYS, user=st.sampled_from("xy"), wait=st.integers(0, 3))
    def come(self, key, user, wait):
        info, before = ClientInfo(user, key), self.present.get(key)
        self.present[key] = SimpleNamespace(info=info)
        if before is None or before.info != info:
            old = None if before is None else before.info
            self.changes.change(key, old, info, self.now + wait, known=before is not None, removed=False)
        if not wait:
            self.hear(self.changes.tell(key))

    @rule(key=KEYS, wait=st.integers(0, 3))
    def go(self, key, wait):
        gone = self.present.pop(key, None)
        if gone is not None:
            self.changes.change(key, gone.info, gone.info, self.now + wait, known=True, removed=True)
            if not wait:
                self.hear(self.changes.tell(key))

    @rule(seconds=st.integers(0, 2), limit=st.integers(1, 4))
    def time(self, seconds, limit):
        self.now += seconds
        told = self.changes.take(self.now, limit)
        assert len(told) <= limit
        self.hear(told)

    @rule(cursor=st.sampled_from(["", "b", "bb"]))
    def watch(self, cursor):
        keys = [*self.changes.after("", self.present)]
        assert keys == sorted(keys)
        assert [*self.changes.after(cursor, self.present)] == [key for key in keys if key > cursor]
        self.watchers.append({key: self.changes.info(key, self.present) for key in keys})
        assert all(known == self.watchers[0] for known in self.watchers)

    @invariant()
    def when_nothing_waits_everybody_knows_what_is_so(self):
        truth = {key: present.info for key, present in self.present.items()}
        if not self.changes:
            assert self.changes.next_due() is None
            assert all(known == truth for known in self.watchers)
        else:
            assert self.changes.next_due() >= 0


TestAgainstWatchers = AgainstWatchers.TestCase
TestAgainstWatchers.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def test_of_very_many_a_share_is_told_at_a_time():
    changes = ViewChanges()
    for number in range(5_000):
        changes.change(f"c{number}", None, None, 1.0, known=False, removed=False)
    assert changes.take(0.5, 100) == []
    told = changes.take(1.0, 100)
    assert [change.key for change in told] == [f"c{number}" for number in range(500)], "the longest waiting first"
    rounds = 0
    while changes:
        changes.take(1.0, 100)
        rounds += 1
    assert rounds < 30
