from datetime import UTC, datetime

import pytest

from db.session_events.service import SessionEvent
from tasks.session_events.handlers import Handlers, namespace_of


def event(kind: str, channel: str = "") -> SessionEvent:
    return SessionEvent(1, kind, "c", "u", "s", channel, "h", 0, datetime.now(UTC))


async def ignore(session, events):
    return None


def test_a_handler_hears_what_it_asked_for():
    handlers = Handlers()
    handlers.on("all", ignore)
    handlers.on("rooms", ignore, kinds={"vacated"}, namespaces={"room", "default"})
    every, rooms = handlers.by_name["all"], handlers.by_name["rooms"]
    assert every.wants(event("connected"))
    assert rooms.wants(event("vacated", "room:a"))
    assert rooms.wants(event("vacated", "no colon"))
    assert not rooms.wants(event("occupied", "room:a"))
    assert not rooms.wants(event("vacated", "other:a"))
    assert not rooms.wants(event("vacated"))


def test_mistakes_are_named():
    handlers = Handlers()
    handlers.on("a", ignore)
    with pytest.raises(ValueError, match="'a' is registered twice"):
        handlers.on("a", ignore)
    with pytest.raises(ValueError, match="there is no event 'closed'"):
        handlers.on("b", ignore, kinds={"closed"})


def test_namespaces_of_channels():
    names = {"room:a": "room", "$room:a": "room", "a": "default", ":a": "default", "$a": "default", "$:a": "default"}
    assert {channel: namespace_of(channel) for channel in names} == names


def test_discovery_calls_registration_functions(monkeypatch):
    class Found:
        name = "app"

        def load(self):
            return lambda handlers: handlers.on("app.handler", ignore)

    monkeypatch.setattr("tasks.session_events.handlers.entry_points", lambda group: [Found()])
    handlers = Handlers()
    handlers.discover()
    assert list(handlers.by_name) == ["app.handler"]
