"""Queues are asked in turns, and only while they may have something."""

from actors.jobs.ready import ReadyQueues


def test_an_empty_queue_is_forgotten_until_there_is_news_of_it() -> None:
    queues = ReadyQueues()
    queues.hear_of(["a", "b"])
    queues.served(queues.ask(["a", "b"]), {"b"})
    assert list(queues) == ["b"]
    queues.hear_of(["a"])
    assert list(queues) == ["b", "a"]


def test_news_that_came_while_it_was_asked_are_kept() -> None:
    queues = ReadyQueues()
    queues.hear_of(["a"])
    asked = queues.ask(["a"])
    queues.hear_of(["a"])
    queues.served(asked, set())
    assert list(queues) == ["a"]


def test_who_was_served_queues_up_again() -> None:
    queues = ReadyQueues()
    queues.hear_of(["a", "b", "c"])
    queues.served(queues.ask(["a", "b"]), {"a", "b"})
    assert list(queues) == ["c", "a", "b"]
    queues.hear_of(["b"])
    assert list(queues) == ["c", "a", "b"], "news give no better place"
