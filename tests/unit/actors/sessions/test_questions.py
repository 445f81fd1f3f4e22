import msgspec

from actors.links.stream import ClientStream
from actors.sessions.questions import WAITING_MAX, Questions
from actors.sessions.wire import AnswerQuestion, AskHubs, HubAnswered, HubsAsked, Item, Question


def stream(boot: str) -> ClientStream:
    return ClientStream(boot, 1, lambda channel: b"", 0.0)


def items(of: ClientStream) -> list[Item]:
    _, taken = of.take()
    return [msgspec.msgpack.decode(item, type=Item) for item in taken]


def test_an_answer_counts_once_and_only_from_who_was_asked() -> None:
    questions, asker, hub, stranger = Questions(), stream("api"), stream("hub"), stream("other")
    questions.announce(hub)
    questions.ask(asker, AskHubs(7, b"?"))
    (question,) = items(hub)
    assert isinstance(question, Question)
    questions.answer(stranger, AnswerQuestion(question.ticket, b"lie"))
    questions.answer(hub, AnswerQuestion(question.ticket, b"yes"))
    questions.answer(hub, AnswerQuestion(question.ticket, b"again"))
    assert items(asker) == [HubsAsked(7, ["hub"]), HubAnswered(7, "hub", b"yes")]


def test_without_hubs_nobody_is_waited_for() -> None:
    questions, asker, hub = Questions(), stream("api"), stream("hub")
    questions.announce(hub)
    questions.forget(stream("hub"))
    assert questions.hubs == {"hub": hub}, "another session of the same process is another stream"
    questions.forget(hub)
    questions.ask(asker, AskHubs(1, b"?"))
    assert items(asker) == [HubsAsked(1, [])]


def test_what_is_never_answered_is_forgotten() -> None:
    questions, asker, hub = Questions(), stream("api"), stream("hub")
    questions.announce(hub)
    for number in range(WAITING_MAX + 1):
        questions.ask(asker, AskHubs(number, b"?"))
    questions.answer(hub, AnswerQuestion(1, b"late"))
    questions.answer(hub, AnswerQuestion(2, b"in time"))
    answers = [item for item in items(asker) if isinstance(item, HubAnswered)]
    assert answers == [HubAnswered(1, "hub", b"in time")]
