import msgspec

from actors.brokers import items
from actors.brokers.contract import ClientInfo
from actors.brokers.wire import Pub, encode, raw
from actors.links.frames import Batch

PUB = Pub(b"data", 3, "epoch", 99, ClientInfo("u", "c", b"{}"), {"a": "b"}, True, ("x",), ("y",))


def test_a_publication_built_from_parts_is_the_one_encoded_whole():
    assert items.published_prefix("room:a") + encode(PUB) == encode(items.Published("room:a", PUB))
    long = "room:" + "я" * 100
    assert items.published_prefix(long) + encode(PUB) == encode(items.Published(long, PUB))


def test_encoded_publications_can_be_part_of_an_answer():
    item = encode(items.Resumed("c", "e", 3, ok=True, pubs=raw([encode(PUB)] * 2)))
    batch = encode(Batch("inc", 1, False, [msgspec.Raw(item)]))
    [decoded] = msgspec.msgpack.decode(batch, type=Batch[items.Item]).items
    assert decoded == items.Resumed("c", "e", 3, ok=True, pubs=[PUB, PUB])
