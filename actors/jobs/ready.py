"""Which queues may have work: the owner asks for these and for no others."""

from collections.abc import Iterable, Iterator, Mapping


class ReadyQueues:
    """Queues that may have ready jobs, the longest unserved first.

    Whoever makes a job ready says so (`hear_of`), and a look at the table from time to time finds what was not said.
    """

    def __init__(self) -> None:
        self._news = 0
        self._heard: dict[str, int] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._heard)

    def hear_of(self, queues: Iterable[str]) -> None:
        """These may have ready jobs. They keep their places, if they have one."""
        for queue in queues:
            self._news += 1
            self._heard[queue] = self._news

    def ask(self, queues: Iterable[str]) -> dict[str, int]:
        """To be handed to `served`: what is known before these are asked."""
        return {queue: self._heard[queue] for queue in queues}

    def served(self, asked: Mapping[str, int], found: set[str]) -> None:
        """These were asked: the empty ones are forgotten until there is news of them, the others queue up again."""
        for queue, news in asked.items():
            if queue in found or self._heard[queue] != news:
                self._heard[queue] = self._heard.pop(queue)
            else:
                del self._heard[queue]
