import asyncio
import itertools

import pytest

from actors.links.link import LinkFull
from actors.sessions.contract import HubAnswers, SessionsUnreachable
from actors.sessions.surveys import Surveys
from actors.sessions.wire import AskHubs, HubAnswered, HubsAsked
from tests.fixtures.simulation import simulate


def test_answers_may_overtake_the_list_of_who_was_asked() -> None:
    async def main() -> None:
        sent: list[AskHubs] = []
        surveys = Surveys(lambda op, size: sent.append(op), itertools.count(1))
        asking = asyncio.ensure_future(surveys.ask(b"?", "a"))
        await asyncio.sleep(0)
        assert sent == [AskHubs(1, b"?", "a")]
        surveys.on_answered(HubAnswered(1, "a", b"1"))
        assert not asking.done()
        surveys.on_asked(HubsAsked(1, ["a"]))
        assert await asking == HubAnswers({"a": b"1"}, [])
        surveys.on_answered(HubAnswered(1, "b", b"nobody waits for this any more"))
        surveys.on_asked(HubsAsked(1, ["b"]))

    simulate(main())


def test_a_full_link_and_a_silent_shard_are_unreachable() -> None:
    async def main() -> None:
        def full(op: AskHubs, size: int) -> None:
            raise LinkFull

        with pytest.raises(SessionsUnreachable):
            await Surveys(full, itertools.count(1)).ask(b"?")
        with pytest.raises(SessionsUnreachable):
            await Surveys(lambda op, size: None, itertools.count(1)).ask(b"?")

    simulate(main())


def test_what_is_waited_for_is_asked_again_when_the_shard_has_forgotten_it() -> None:
    async def main() -> None:
        sent: list[AskHubs] = []
        surveys = Surveys(lambda op, size: sent.append(op), itertools.count(1))
        asking = asyncio.ensure_future(surveys.ask(b"?"))
        await asyncio.sleep(0)
        surveys.on_asked(HubsAsked(1, ["a", "b"]))
        surveys.ask_again()
        assert sent == [AskHubs(1, b"?"), AskHubs(1, b"?")]
        surveys.on_asked(HubsAsked(1, ["a"]))
        surveys.on_answered(HubAnswered(1, "a", b"1"))
        assert await asking == HubAnswers({"a": b"1"}, [])
        surveys.ask_again()
        assert len(sent) == 2

    simulate(main())
