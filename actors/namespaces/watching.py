"""Notices that the file of namespaces has changed, and gives a process its new rules.

Every process that needs the rules watches the file itself, so nobody has to be told and a process that was away finds
what the others have. A file with mistakes changes nothing: the rules stay, the mistakes are logged and kept for whoever
asks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from actors.protocol.namespaces import NamespaceMistake, Namespaces

LOOK_EVERY_S: Final = 1.0

Check = Callable[[Namespaces], Sequence[str]]
"""What else is wrong with rules, in this process; empty when nothing is."""

logger = structlog.get_logger(__name__)


def _nothing_wrong(_namespaces: Namespaces) -> Sequence[str]:
    return ()


class WatchedNamespaces:
    """The rules of a file, as they are now.

    `check` may refuse rules that are well written and cannot work here. Raises NamespaceMistake or OSError when the
    file cannot be used at the start; what `check` finds then is logged, because other channels can work.
    """

    def __init__(self, path: Path, *, check: Check = _nothing_wrong) -> None:
        self._path = path
        self._check = check
        self._seen = _signature(path)
        self.current = Namespaces.load(path)
        self.mistakes: tuple[str, ...] = tuple(check(self.current))
        """Why the newest version of the file is not in force; or what does not work of the one at the start."""
        if self.mistakes:
            logger.error("namespaces do not all work", file=str(path), mistakes=self.mistakes)

    async def look(self) -> Namespaces | None:
        """The rules of a file that has changed and has no mistakes. They are in force when `take` is called."""
        seen = _signature(self._path)
        if seen == self._seen:
            return None
        self._seen = seen
        try:
            found = await asyncio.to_thread(Namespaces.load, self._path)
            mistakes = tuple(self._check(found))
        except NamespaceMistake as reason:
            mistakes = tuple(reason.mistakes)
        except (OSError, UnicodeDecodeError) as reason:
            mistakes = (f"{self._path}: {reason}",)
        self.mistakes = mistakes
        if mistakes:
            logger.error("namespaces have mistakes, the old ones stay", file=str(self._path), mistakes=mistakes)
            return None
        return found if found.version != self.current.version else None

    def take(self, namespaces: Namespaces) -> None:
        """These are the rules now."""
        logger.info("namespaces changed", file=str(self._path), version=namespaces.version, was=self.current.version)
        self.current = namespaces

    async def watch(self, on_change: Callable[[Namespaces], Awaitable[None]]) -> None:
        """For ever: call `on_change` with new rules, then take them. What it raises is logged; the rules stay."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                found = await self.look()
                if found is not None:
                    await on_change(found)
                    self.take(found)
            except Exception:
                logger.exception("namespaces cannot be changed")


def _signature(path: Path) -> tuple[int, ...]:
    """What changes when a file is written or replaced; empty when there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
