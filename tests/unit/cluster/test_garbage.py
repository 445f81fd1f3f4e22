"""In a process of its own: what is frozen stays so."""

import subprocess
import sys

from cluster.garbage import THRESHOLDS
from cluster.settings import ROOT

PROGRAM = """
import gc, weakref
from cluster import garbage

class Node: pass

def cycle():
    node = Node()
    node.self = node
    return weakref.ref(node)

gc.disable()
before = cycle()
garbage.settle()
after = cycle()
print(gc.get_freeze_count() > 1000, gc.get_threshold(), before() is None, after() is not None)
gc.collect()
print(after() is None)
"""


def test_what_is_loaded_is_left_alone_and_later_cycles_are_still_found() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [f"True {THRESHOLDS} True True", "True"]
