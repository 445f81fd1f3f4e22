import pytest

from actors.protocol.json_codec import JSON
from serve_app.realtime.core import NEVER, ConnectionCore, ConnectionState
from tests.fixtures.realtime import Driver


def test_a_new_connection_is_due_when_it_would_be_stale() -> None:
    driver = Driver()
    core = ConnectionCore("c", JSON, driver.env, 50.0, lambda channel: 1)
    assert core.state is ConnectionState.NEW
    assert core.due == 60.0
    assert not core.is_closed()


def test_the_core_alone_handles_no_commands() -> None:
    core = ConnectionCore("c", JSON, Driver().env, 0.0, lambda channel: 1)
    with pytest.raises(NotImplementedError):
        core._resume([], 0.0, [])
    with pytest.raises(NotImplementedError):
        core._finish_connect(0.0, [])


def test_nothing_is_due_after_the_end() -> None:
    driver = Driver()
    driver.connect()
    driver.connection.transport_closed()
    assert driver.connection.due < NEVER
    assert driver.connection.tick(driver.connection.due) == []
