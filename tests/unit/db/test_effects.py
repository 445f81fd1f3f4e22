"""Effects of several transactions, put together."""

from db.effects import JobsEnqueued, enqueued


def test_queues_and_keys_are_named_once_and_in_order() -> None:
    effects = [
        JobsEnqueued(("b", "a")),
        JobsEnqueued(("a",), (("b", "y"), ("b", "x"))),
        JobsEnqueued((), (("b", "y"),)),
    ]
    assert enqueued(effects) == ["a", "b", ("b", "x"), ("b", "y")]
    assert enqueued([]) == []
