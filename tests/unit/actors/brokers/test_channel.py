import msgspec
import pytest

from actors.brokers.channel import IDEMPOTENCY_S, Channel, HubInterest, Present, encode_pub
from actors.brokers.contract import BrokerError, ClientInfo
from actors.brokers.items import Item, Published
from actors.brokers.operations import Publish
from actors.brokers.wire import Pub, Subscriber
from actors.links.stream import ClientStream
from actors.protocol.namespaces import Namespaces
from tests.fixtures.brokers import NAMESPACES

RULES = Namespaces.parse(NAMESPACES)


def channel(name="room:a"):
    return Channel(name, RULES.for_channel(name), 0.0)


def stream(boot="hub"):
    return ClientStream(boot, 1, str.encode, 0.0)


def test_a_durable_channel_has_no_epoch_before_its_head_is_read():
    assert (channel("ledger:a").epoch, channel("ledger:a").loaded) == ("", False)
    assert channel("room:a").epoch
    assert channel("room:a").loaded


def test_a_publication_is_one_object_for_every_hub():
    ch = channel()
    hubs = [stream(name) for name in ("one", "two", "three")]
    for hub in hubs:
        ch.hubs[hub.boot] = HubInterest(hub)
    op = Publish(1, "room:a", b'{"x":1}', "id", ClientInfo("u", "c"), {"t": "v"})
    ch.accept(1, ch.epoch, encode_pub(op, 1, ch.epoch, 99, delta=True), 0.0)
    items = [hub.take()[1][0] for hub in hubs]
    assert items[0] is items[1] is items[2], "encoded once, shared"
    decoded = msgspec.msgpack.decode(items[0], type=Item)
    assert decoded == Published(
        "room:a", Pub(b'{"x":1}', 1, ch.epoch, 99, ClientInfo("u", "c"), {"t": "v"}, delta=True)
    )
    assert (ch.top, ch.ring.top) == (1, 1)


def test_idempotency_keys_expire_and_do_not_pile_up():
    ch = channel()
    for n in range(100):
        ch.remember(f"k{n}", n, "e", float(n))
    assert ch.idempotent("k99", 100.0) == (99, "e")
    assert ch.idempotent("k0", IDEMPOTENCY_S) is None
    for n in range(50):
        ch.remember(f"late{n}", n, "e", 10_000.0)
    assert len(ch.keys) == 50


@pytest.mark.parametrize(
    ("version", "epoch", "stale"),
    [(0, "a", False), (4, "a", True), (5, "a", True), (6, "a", False), (1, "b", False)],
)
def test_a_version_is_compared_within_its_epoch(version, epoch, stale):
    ch = channel()
    ch.version, ch.version_epoch = 5, "a"
    assert ch.is_stale(version, epoch) is stale


LIMITED = Namespaces.parse(
    "namespaces: {n: {channel_publish_rate: 2/s, publication_max_bytes: 3, channel_max_subscribers: 2}}"
)


def test_publications_have_a_size_and_those_of_clients_a_rate():
    ch = Channel("n:1", LIMITED.for_channel("n:1"), 0.0)
    with pytest.raises(BrokerError, match="at most 3 bytes") as refused:
        ch.check_publication(4, 10.0, by_client=False)
    assert refused.value.code == 106
    for _ in range(2):
        ch.check_publication(3, 10.0, by_client=True)
    with pytest.raises(BrokerError) as refused:
        ch.check_publication(3, 10.4, by_client=True)
    assert refused.value.code == 111
    ch.check_publication(3, 10.4, by_client=False)
    ch.check_publication(3, 10.5, by_client=True)


def test_a_channel_has_room_for_so_many():
    ch = Channel("n:1", LIMITED.for_channel("n:1"), 0.0)
    for name in ("one", "two"):
        ch.check_room()
        ch.hubs[name] = HubInterest(
            stream(name), {1: Subscriber(1, ClientInfo("u", name), presence=False, join_leave=False)}
        )
    with pytest.raises(BrokerError) as refused:
        ch.check_room()
    assert refused.value.code == 106
    channel().check_room()


def test_connections_without_a_user_are_one_user_together():
    ch = channel()
    for client in ("a", "b"):
        assert ch.admit(Present(ClientInfo("", client), "hub", 1))
    assert ch.users == {"": 2}
    ch.dismiss("a")
    assert len(ch.users) == 1
    ch.dismiss("b")
    assert ch.users == {}
