"""What is done beside what anybody waits for."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """Tasks that belong to somebody and end with them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it; whoever calls does not wait."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Tell all of them to end."""
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """End all of them."""
        self.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
