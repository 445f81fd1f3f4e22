import msgspec
import pytest

from actors.brokers import operations
from actors.brokers.contract import ClientInfo
from actors.brokers.wire import Subscriber, encode
from actors.links.frames import Submit


@pytest.mark.parametrize(
    "op",
    [
        operations.Publish(1, "c", b"x", "id", ClientInfo("u", "c"), resent=True),
        operations.Subscribe("c", Subscriber(1, ClientInfo("u", "c"), presence=True, join_leave=False), recover=True),
        operations.Unsubscribe("c", 1),
        operations.Resume("c", "e", 1, [Subscriber(1, ClientInfo("u", "c"), presence=True, join_leave=True)]),
        operations.Synced(),
        operations.Repair("c", "e", 1),
        operations.History(1, "c", -1, since=True, epoch="e", offset=2, reverse=True),
        operations.HistoryRemove(1, "c"),
        operations.Presence(1, "c", full=False),
        operations.Channels(1, "*"),
    ],
    ids=lambda op: type(op).__name__,
)
def test_operations_survive_a_submit(op):
    encoded = encode(Submit("boot", 1, "inc", 1, [op, op]))
    assert msgspec.msgpack.decode(encoded, type=Submit[operations.Operation]).items == [op, op]
