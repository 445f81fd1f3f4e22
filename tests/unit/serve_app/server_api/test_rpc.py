import pytest

from serve_app.realtime.calls import CallError
from serve_app.server_api.registry import Refused
from tests.fixtures.hub import World
from tests.fixtures.server_api import ServerApi


@pytest.fixture
async def server() -> ServerApi:
    return ServerApi(World())


async def test_the_application_answers(server: ServerApi) -> None:
    async def echo(params: bytes) -> bytes:
        return b'{"got":\n' + (params or b"null") + b"}"

    async def nothing(params: bytes) -> bytes:
        return b""

    server.context.handlers.server_rpc("echo", echo)
    server.context.handlers.server_rpc("nothing", nothing)
    assert await server.call("rpc", method="echo", params=[1]) == {"data": {"got": [1]}}
    assert await server.call("rpc", method="echo") == {"data": {"got": None}}
    assert await server.call("rpc", method="nothing") == {"data": None}
    with pytest.raises(ValueError, match="registered twice"):
        server.context.handlers.server_rpc("echo", echo)


@pytest.mark.parametrize(
    ("method", "code"), [("no such method", 104), ("refuses", 1001), ("breaks", 100), ("answers no json", 100)]
)
async def test_what_goes_wrong_has_a_code(server: ServerApi, method: str, code: int) -> None:
    async def refuses(params: bytes) -> bytes:
        raise CallError(1001, "not today")

    async def breaks(params: bytes) -> bytes:
        raise RuntimeError

    async def answers_no_json(params: bytes) -> bytes:
        return b"{"

    for name, handler in (("refuses", refuses), ("breaks", breaks), ("answers no json", answers_no_json)):
        server.context.handlers.server_rpc(name, handler)
    with pytest.raises(Refused) as refused:
        await server.call("rpc", method=method)
    assert refused.value.code == code
