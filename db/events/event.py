"""Domain events: facts in the past tense, typed, stored as JSON."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

_BY_TYPE: dict[str, type["DomainEvent"]] = {}


class UnknownEvent(Exception):
    """A stored event of a type that this code does not know, such as one of a newer version."""


class DomainEvent(BaseModel):
    """Base of all domain events. A subclass sets `type`, such as `order.placed`; it never changes afterwards.

    Fields may be added with defaults: rows written before stay readable.
    """

    model_config = ConfigDict(frozen=True)

    type: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Make the class known under its type, once."""
        known = _BY_TYPE.setdefault(cls.type, cls)
        if known.__qualname__ != cls.__qualname__ or known.__module__ != cls.__module__:
            raise TypeError(f"event type {cls.type!r} is taken by {known.__module__}.{known.__qualname__}")


def decode(event_type: str, payload: dict[str, Any]) -> DomainEvent:
    """The typed event of a stored row. Raises UnknownEvent."""
    try:
        return _BY_TYPE[event_type].model_validate(payload)
    except KeyError as error:
        raise UnknownEvent(event_type) from error


def known_types() -> frozenset[str]:
    """Types of all events whose modules are imported."""
    return frozenset(_BY_TYPE)
