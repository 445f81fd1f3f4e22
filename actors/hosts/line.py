"""How the kernel of another node tells that a process there has ended: a connection to it that does nothing else.

Whatever ends a process, its kernel closes its sockets; what is stopped or cut off keeps them. So a line that was up,
ended, and is then refused (or answered by somebody else) means that the process is certainly dead. A machine that lost
its power or its network says nothing: then only silence tells, or Ray's own health check.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

CONNECT_S: Final = 1.0
AGAIN_S: Final = 0.1
NAME_LIMIT: Final = 64


class Line:
    """This process's end: accepts connections, says its name and holds them."""

    def __init__(self, name: str) -> None:
        self.address = ""
        """host:port/name; empty until it listens."""
        self._name = name
        self._server: asyncio.Server | None = None
        self._held: set[asyncio.StreamWriter] = set()

    @property
    def held(self) -> int:
        """Lines that are up."""
        return len(self._held)

    async def open(self, host: str) -> None:
        """Listen, on a port of the kernel's choice."""
        self._server = await asyncio.start_server(self._hold, host, 0)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"{host}:{port}/{self._name}"

    async def close(self) -> None:
        """Stop listening, and end the lines that are up."""
        if self._server is not None:
            self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End the lines that are up; whoever watches connects again."""
        for writer in self._held:
            writer.close()

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._held.add(writer)
        try:
            writer.write(self._name.encode() + b"\n")
            while await reader.read(NAME_LIMIT):
                pass
        except ConnectionError:
            pass
        finally:
            self._held.discard(writer)
            writer.close()


class Watch:
    """The other end: calls `on_death` once when the process of a line has certainly ended."""

    def __init__(self, address: str, on_death: Callable[[], None]) -> None:
        where, _, self._name = address.partition("/")
        self._host, _, port = where.rpartition(":")
        self._port = int(port)
        self._on_death = on_death
        self.is_up = False
        self.attempts = 0
        """How often it tried to connect."""
        self._was_up = False
        self._watching = asyncio.create_task(self._watch(), name="line")

    def close(self) -> None:
        """Stop watching."""
        self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            if await self._has_ended():
                self._on_death()
                return
            await asyncio.sleep(AGAIN_S)

    async def _has_ended(self) -> bool:
        """Whether the process is known to be dead. If it is there, holds the line for as long as it is up."""
        self.attempts += 1
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=NAME_LIMIT)
                name = (await reader.readline()).decode(errors="replace").strip()
        except ConnectionRefusedError:
            # Before the line was ever up this may be a firewall's answer.
            return self._was_up
        except (OSError, TimeoutError, ValueError):
            return False
        try:
            if name == self._name:
                self.is_up = self._was_up = True
                with contextlib.suppress(OSError):
                    while await reader.read(NAME_LIMIT):
                        pass
            # Another name: the port has gone to another process. None: it was closing.
            return self._was_up and name not in ("", self._name)
        finally:
            self.is_up = False
            writer.close()
