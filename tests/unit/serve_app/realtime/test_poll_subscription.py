"""A subscription to a shared poll, as its client reads it."""

import pytest

from actors.brokers.contract import ClientInfo, StreamPosition, SubscribeReply
from actors.protocol import frames
from actors.protocol.namespace import Namespace
from actors.protocol.namespace_groups import SharedPollOptions
from serve_app.realtime.permits import Features
from serve_app.realtime.poll_subscription import PollSubscription
from tests.fixtures.realtime import FakeLookup

PLAIN = Features(recoverable=False, positioned=False, pushes_join_leave=False)


def subscription(namespace: Namespace) -> PollSubscription:
    return PollSubscription("c", namespace, 1, ClientInfo("u", "c1"), PLAIN, frames.SubscribeRequest(flag=1))


def test_the_epoch_is_that_of_the_versions_and_no_number_is_agreed() -> None:
    sub = subscription(Namespace(shared_poll=SharedPollOptions(callback="p", epoch="e7")))
    result = sub.result(SubscribeReply("c", 1, StreamPosition("broker", 9)), FakeLookup(), 0.0, binary=False)
    assert (result.type, result.epoch, result.offset, result.id, result.positioned) == (4, "e7", 0, 0, False)
    assert not sub.compact


def test_a_namespace_without_shared_polls_has_no_options() -> None:
    with pytest.raises(TypeError):
        _ = subscription(Namespace(name="n")).options
