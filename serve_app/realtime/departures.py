"""Closing many connections, a few at a time: all at once they would all come back at once."""

import asyncio
import random
from collections.abc import Callable, Collection
from typing import Final

from serve_app.realtime.peer import Peer

STEP_S: Final = 0.05
"""Closings are spread over steps of this length."""


async def close_gradually(peers: Collection[Peer], close: Callable[[Peer], None], window_s: float) -> None:
    """Close each within the window, in random order and evenly spread."""
    waiting = list(peers)
    random.shuffle(waiting)
    parts = min(max(int(window_s / STEP_S), 1), len(waiting))
    loop = asyncio.get_running_loop()
    started = loop.time()
    for part in range(parts):
        ahead = started + window_s * part / parts - loop.time()
        if ahead > 0:
            await asyncio.sleep(ahead)
        for peer in waiting[part * len(waiting) // parts : (part + 1) * len(waiting) // parts]:
            close(peer)
