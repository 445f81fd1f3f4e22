"""Ports that a Mobula has taken for itself before anything listens there.

A port that is free when a start looks is bound a minute later. Another start within that minute would take it as well,
and two HAProxys share a port without a word (SO_REUSEPORT): each answers some of the other's requests. So whoever
decides for a port claims it: a name in the abstract namespace of unix sockets, which the kernel gives once and takes
back when the process ends, however it ends. Systems without such names claim nothing.
"""

import contextlib
import socket
import sys
from collections.abc import Iterable, Iterator

_held: dict[int, socket.socket] = {}
"""What this process has claimed. Not inherited by those that it starts."""


def claim(port: int) -> bool:
    """Have a port from now on; claiming it again changes nothing. False: another process has claimed it."""
    if port in _held or sys.platform != "linux":
        return True
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0mobula-port-{port}")
    except OSError:
        name.close()
        return False
    _held[port] = name
    return True


def release(ports: Iterable[int]) -> None:
    """Give claims back; those of others, or none, are left alone."""
    for port in ports:
        if port in _held:
            _held.pop(port).close()


def is_claimed_elsewhere(port: int) -> bool:
    """Whether another process has claimed a port."""
    if port in _held:
        return False
    free = claim(port)
    release([port])
    return not free


@contextlib.contextmanager
def released() -> Iterator[None]:
    """Give back, at the end, whatever was claimed meanwhile."""
    before = set(_held)
    try:
        yield
    finally:
        release(set(_held) - before)
