"""From where, and in which request, what happens now was asked for."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Caller:
    """`ip`: the client's address, as far as proxies are believed. `request_id`: that of the answer and of the logs."""

    ip: str | None = None
    request_id: str | None = None


NOBODY: Final = Caller()
"""Of jobs and commands: no client waits for them."""

CALLER: ContextVar[Caller] = ContextVar("mobula.caller", default=NOBODY)
"""Set around each request where it arrives, so that no act in it has to be told, and none can forget."""
