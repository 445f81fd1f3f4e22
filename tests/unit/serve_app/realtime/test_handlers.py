from collections.abc import Mapping
from importlib.metadata import EntryPoint

import pytest

from actors.protocol.namespaces import Namespaces
from serve_app.realtime.handlers import Caller, ConnectAttempt, Handlers, PolledItem, Question


async def allow(question: Question) -> bool:
    return True


async def let_in(attempt: ConnectAttempt) -> None:
    return None


async def echo(caller: Caller, data: bytes) -> bytes:
    return data


async def hear(caller: Caller, data: bytes) -> None:
    return None


async def poll(channel: str, keys: Mapping[str, int]) -> list[PolledItem]:
    return []


def test_names_are_unique() -> None:
    handlers = Handlers()
    handlers.permission("p", allow)
    handlers.rpc("m", echo)
    handlers.message(hear)
    handlers.connect(let_in)
    handlers.poll("q", poll)
    with pytest.raises(ValueError, match="'q'"):
        handlers.poll("q", poll)
    with pytest.raises(ValueError, match="connect handler"):
        handlers.connect(let_in)
    with pytest.raises(ValueError, match="'p'"):
        handlers.permission("p", allow)
    with pytest.raises(ValueError, match="'m'"):
        handlers.rpc("m", echo)
    with pytest.raises(ValueError, match="message handler"):
        handlers.message(hear)


def register(handlers: Handlers) -> None:
    handlers.rpc("from.package", echo)


def test_installed_packages_register_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    found = EntryPoint(name="x", value="tests:register", group="mobula.realtime")
    monkeypatch.setattr(EntryPoint, "load", lambda self: register)
    monkeypatch.setattr(
        "serve_app.realtime.handlers.entry_points", lambda group: [found] if group == "mobula.realtime" else []
    )
    handlers = Handlers()
    handlers.discover()
    assert "from.package" in handlers.rpc_methods


def test_callbacks_that_nobody_offers_are_named() -> None:
    handlers = Handlers()
    handlers.permission("there", allow)
    namespaces = Namespaces.parse("namespaces: {a: {subscribe_permission: there, publish_permission: absent}}")
    (missing,) = handlers.missing(namespaces)
    assert "namespace 'a': publish_permission: no installed package offers 'absent'" in missing


def test_a_poll_that_nobody_offers_is_named() -> None:
    handlers = Handlers()
    group = "{subscription_type: shared_poll, shared_poll: {callback: prices}}"
    namespaces = Namespaces.parse(f"namespaces: {{a: {group}}}")
    (missing,) = handlers.missing(namespaces)
    assert "namespace 'a': shared_poll: callback: no installed package offers 'prices'" in missing
    handlers.poll("prices", poll)
    assert handlers.missing(namespaces) == []
