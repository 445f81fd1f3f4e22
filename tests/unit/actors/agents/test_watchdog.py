"""A blocked event loop is noticed from outside."""

import threading
import time

from actors.agents.watchdog import Watchdog
from tests.fixtures.waiting import eventually


async def test_ends_the_process_when_the_loop_is_blocked_for_long() -> None:
    ended = threading.Event()
    watchdog = Watchdog(lambda: ["blocking.kind"], warn_s=0.05, end_s=0.2, end=ended.set)
    watchdog.start()
    ended.wait(10)  # this very wait blocks the loop, as a handler that does not await would
    assert ended.is_set()
    await watchdog.stop()


async def test_leaves_a_living_loop_alone() -> None:
    ended = threading.Event()
    watchdog = Watchdog(list, warn_s=1.0, end_s=1.5, end=ended.set)
    watchdog.start()
    until = time.monotonic() + 2.0
    await eventually(lambda: time.monotonic() > until)
    assert not ended.is_set()
    await watchdog.stop()
