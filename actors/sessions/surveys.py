"""The asker's end of questions to all hubs: collects what comes back, and knows when to stop waiting."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from actors.links.link import LinkFull
from actors.sessions.contract import HubAnswers, SessionsUnreachable
from actors.sessions.wire import AskHubs, HubAnswered, HubsAsked

ANSWERS_WITHIN_S: Final = 1.5
"""A hub answers in one turn of its loop; one that needs longer is reported as silent."""


class _Survey:
    def __init__(self, op: AskHubs) -> None:
        self.op = op
        self.hubs: list[str] | None = None
        """None until the shard has said whom it asked."""
        self.answers: dict[str, bytes] = {}
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def check(self) -> None:
        if self.hubs is not None and self.answers.keys() >= set(self.hubs) and not self.done.done():
            self.done.set_result(None)


class Surveys:
    """Questions of one process to all hubs, through one shard."""

    def __init__(self, send: Callable[[AskHubs, int], None], ids: Iterator[int]) -> None:
        self._send = send
        self._ids = ids
        self._open: dict[int, _Survey] = {}

    async def ask(self, question: bytes, hub: str = "") -> HubAnswers:
        """Ask and collect. Raises SessionsUnreachable when not even the shard answers."""
        request = next(self._ids)
        survey = self._open[request] = _Survey(AskHubs(request, question, hub))
        try:
            self._send(survey.op, len(question))
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await survey.done
        except LinkFull:
            raise SessionsUnreachable("too many requests wait for the shard") from None
        except TimeoutError:
            if survey.hubs is None:
                raise SessionsUnreachable("the shard did not answer") from None
        finally:
            del self._open[request]
        return HubAnswers(survey.answers, [boot for boot in survey.hubs or () if boot not in survey.answers])

    def ask_again(self) -> None:
        """The shard has forgotten everything: ask it once more what is still waited for."""
        for survey in self._open.values():
            survey.hubs = None
            self._send(survey.op, len(survey.op.question))

    def on_asked(self, item: HubsAsked) -> None:
        """The shard has passed the question on."""
        survey = self._open.get(item.request)
        if survey is not None:
            survey.hubs = item.hubs
            survey.check()

    def on_answered(self, item: HubAnswered) -> None:
        """A hub has answered."""
        survey = self._open.get(item.request)
        if survey is not None:
            survey.answers[item.hub] = item.answer
            survey.check()
