import pytest

from serve_app.server_api.batch import MAX_COMMANDS
from serve_app.server_api.methods import METHODS
from serve_app.server_api.registry import Grant
from serve_app.server_api.stream import commands, run_commands
from tests.fixtures.hub import World
from tests.fixtures.server_api import ServerApi


def test_commands_follow_each_other_with_or_without_lines() -> None:
    found = commands(b'{"method":"a","params":{"x":"} {"}}{"method":"b"}\n\n {"method":"c","params":{}}')
    assert [(command.method, bytes(command.params)) for command in found] == [
        ("a", b'{"x":"} {"}'), ("b", b""), ("c", b"{}"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [b"", b"\n", b"{", b"[]", b"1", b'{"params":{}}', b'{"method":5}', b"\xff", b'{"method":"a"} nonsense'],
)
def test_what_is_no_command_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of the decoders' messages
        commands(body)


def test_there_is_a_bound() -> None:
    with pytest.raises(ValueError, match="more than"):
        commands(b'{"method":"a"}' * (MAX_COMMANDS + 1))


async def test_each_command_has_its_answer_in_order() -> None:
    server = ServerApi(World(), Grant(permissions=frozenset({"realtime:publish"})))
    answers = await run_commands(
        server.context,
        METHODS,
        b'{"method":"publish","params":{"channel":"room:1","data":{}}}\n{"method":"none"}{"method":"info"}'
        b'{"method":"publish"}',
    )
    assert answers[0] == {"result": {"offset": 1, "epoch": "epoch"}}
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, 104, 103, 107]
