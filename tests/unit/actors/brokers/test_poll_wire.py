import msgspec

from actors.brokers.contract import Publication
from actors.brokers.items import Item
from actors.brokers.operations import Operation
from actors.brokers.poll_wire import PollChanged, PollReport, polled, value_of
from actors.brokers.wire import encode


def test_values_are_the_same_after_the_journey():
    for publication in (Publication(b"1", key="k", version=7), Publication(b"", key="k", version=8, removed=True)):
        assert polled(value_of(publication)) == publication


def test_they_are_operations_and_items():
    report = PollReport("prices:a", ["k"], [value_of(Publication(b"1", key="k", version=7))], 2)
    assert msgspec.msgpack.decode(encode(report), type=Operation) == report
    changed = PollChanged("prices:a", report.values)
    assert msgspec.msgpack.decode(encode(changed), type=Item) == changed
