"""Imported by every Ray worker before its first task or actor (`RAY_preload_python_modules`). Importing is the effect.

Ray imports pyarrow into every worker, so that its own serialisers of Arrow data are in place before any arrives: 13 MB
and a third of a second, in each of ten processes that never see Arrow data. Our actors and Serve's pass bytes, so a
worker that becomes an actor is spared it. One that runs tasks (an export, or what data teams write) keeps it.
"""

from collections.abc import Callable
from typing import Any

import ray
from ray._private import arrow_serialization

Register = Callable[[Any], None]

NAME = "_register_custom_datasets_serializers"
"""Looked up by Ray when it makes a process's first serialisation context, which is after this import."""


def for_tasks_only(register: Register, actor_id: Callable[[], str | None]) -> Register:
    """`register(serialization_context)`, except in the process of an actor."""

    def register_unless_actor(serialization_context: Any) -> None:
        if actor_id() is None:
            register(serialization_context)

    return register_unless_actor


setattr(
    arrow_serialization,
    NAME,
    for_tasks_only(getattr(arrow_serialization, NAME), lambda: ray.get_runtime_context().get_actor_id()),
)
