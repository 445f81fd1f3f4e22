"""Ray's Arrow serialisers are for workers that run tasks."""

import subprocess
import sys

import pytest

from cluster.ray_runtime.worker_preload import for_tasks_only
from cluster.settings import ROOT


@pytest.mark.parametrize(("actor_id", "registered"), [(None, ["context"]), ("5f", [])])
def test_only_a_process_that_is_no_actor_registers_them(actor_id: str | None, registered: list[str]) -> None:
    seen: list[str] = []
    for_tasks_only(seen.append, lambda: actor_id)("context")
    assert seen == registered


LOOKED_UP = """
import cluster.ray_runtime.worker_preload
import ray
from ray.util import serialization_addons

class Context:
    def _register_cloudpickle_serializer(self, *_, **__): pass
    def _register_cloudpickle_reducer(self, *_, **__): pass

ray.get_runtime_context = lambda: type("Worker", (), {"get_actor_id": lambda self: ACTOR})()
serialization_addons.apply(Context())
import sys
print("pyarrow" in sys.modules)
"""


@pytest.mark.parametrize(("actor", "loaded"), [("None", "True"), ("'5f'", "False")])
def test_ray_looks_it_up_when_it_makes_a_context(actor: str, loaded: str) -> None:
    """In a process of its own: importing the module is its effect."""
    program = LOOKED_UP.replace("ACTOR", actor)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [loaded], done.stderr
