"""Python's cyclic garbage collector, set for processes that live long and hold much.

A full collection looks at every object of the process: several hundred thousand where everything is imported, ten
thousands more for a thousand connections. That takes tenths of a second, in which nobody is answered, and just when
thousands of clients come back there are several of them.
"""

import gc
from typing import Final

THRESHOLDS: Final = (10_000, 20, 20)
"""The youngest generation is looked at after so many new objects (700 by default), each older one after so many looks
at the one before. Cycles are rare in what we write, so little waits for it."""


def settle() -> None:
    """Call once, when a process has loaded what it keeps: that is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
