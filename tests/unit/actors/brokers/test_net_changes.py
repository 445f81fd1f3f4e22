from actors.brokers.contract import ClientInfo
from actors.brokers.net_changes import NetChanges


def test_who_came_and_went_is_not_mentioned_and_the_last_word_counts():
    changes = NetChanges()
    for n in range(100):
        visitor = ClientInfo("u", "visitor", str(n).encode())
        changes.note(visitor, joined=True)
        changes.note(visitor, joined=False)
    gone = ClientInfo("u", "gone")
    for joined in (False, True, False):
        changes.note(gone, joined=joined)
    for version in (b"1", b"2"):
        changes.note(ClientInfo("u", "new", version), joined=True)
    changes.note(ClientInfo("u", "back"), joined=False)
    changes.note(ClientInfo("u", "back"), joined=True)
    assert changes.settled() == ([ClientInfo("u", "new", b"2")], [gone])
    assert len(changes) == 4
