"""What a token may change of a namespace's rules for one subscription."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from actors.protocol.namespace import Namespace

OVERRIDABLE: Final = (
    "presence", "join_leave", "force_recovery", "force_positioning", "force_push_join_leave",
)  # fmt: skip
"""Options that the claim `override` may name."""

Overrides = tuple[tuple[str, bool], ...]
"""(option, value), in the order of OVERRIDABLE."""


def parse(claim: Any) -> Overrides:
    """The claim `override`, `{"presence": {"value": true}}`. Raises ValueError. Unknown options are ignored."""
    if claim is None:
        return ()
    if not isinstance(claim, Mapping):
        raise ValueError("override is no object")  # noqa: TRY004 - one kind of error for everything in a claim
    found = []
    for option in OVERRIDABLE:
        given = claim.get(option)
        if given is None:
            continue
        value = given.get("value") if isinstance(given, Mapping) else None
        if not isinstance(value, bool):
            raise ValueError(f"override of '{option}' has no value true or false")  # noqa: TRY004 - as above
        found.append((option, value))
    return tuple(found)


def of(options: Mapping[str, bool]) -> Overrides:
    """Options by name; those that cannot be overridden are ignored."""
    return tuple((option, bool(options[option])) for option in OVERRIDABLE if option in options)


@lru_cache(maxsize=1024)
def apply(namespace: Namespace, overrides: Overrides) -> Namespace:
    """The rules for one subscription. What a namespace cannot do stays off: recovery without history, say."""
    if not overrides:
        return namespace
    changed = dict(overrides)
    if not namespace.has_history or namespace.batch_flush_latest:
        changed.pop("force_recovery", None)
        changed.pop("force_positioning", None)
    if not changed.get("join_leave", namespace.join_leave):
        changed["force_push_join_leave"] = False
    return msgspec.structs.replace(namespace, **changed)
