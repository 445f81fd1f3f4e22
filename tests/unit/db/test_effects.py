"""Effects of several transactions, put together."""

from db.effects import LOOK, JobsEnqueued, enqueued


def test_queues_and_keys_are_named_once_and_in_order() -> None:
    effects = [
        JobsEnqueued(("b", "a")),
        JobsEnqueued(("a",), (("b", "y"), ("b", "x"))),
        JobsEnqueued((), (("b", "y"),)),
    ]
    assert enqueued(effects) == ["a", "b", ("b", "x"), ("b", "y")]
    assert enqueued([]) == []


def test_one_look_at_the_table_is_enough_for_all() -> None:
    effects = [JobsEnqueued(look=True), JobsEnqueued(("a",)), JobsEnqueued(look=True)]
    assert enqueued(effects) == [LOOK, "a"]
