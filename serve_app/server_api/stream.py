"""Commands of older server SDKs: `POST /api` with one or more `{"method": …, "params": {…}}` in the body.

They are answered in order, a line for each: `{"result": …}` or `{"error": …}`.
"""

from collections.abc import Iterator, Mapping
from json import JSONDecoder
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from actors.protocol import codes
from actors.protocol.frames import EMPTY
from serve_app.server_api.batch import MAX_COMMANDS
from serve_app.server_api.registry import Context, Method, failure, run_command

_WHITE: Final = " \t\r\n"

_scanner: Final = JSONDecoder(strict=False)


class Command(Struct):
    """One method with its body."""

    method: str
    params: Raw = EMPTY


_commands: Final = msgspec.json.Decoder(Command)


def commands(body: bytes) -> list[Command]:
    """The commands of a body, which need nothing between them. Raises ValueError for anything else."""
    text = body.decode("utf-8")
    found = [_commands.decode(part) for part in _parts(text)]
    if not found:
        raise ValueError("no command")
    return found


def _parts(text: str) -> Iterator[str]:
    position, count = 0, 0
    while True:
        while position < len(text) and text[position] in _WHITE:
            position += 1
        if position == len(text):
            return
        count += 1
        if count > MAX_COMMANDS:
            raise ValueError(f"more than {MAX_COMMANDS} commands")
        _, end = _scanner.raw_decode(text, position)
        yield text[position:end]
        position = end


async def run_commands(context: Context, methods: Mapping[str, Method], body: bytes) -> list[Any]:
    """An answer per command. Raises ValueError for a body that cannot be read."""
    return [await _answer(context, methods, command) for command in commands(body)]


async def _answer(context: Context, methods: Mapping[str, Method], command: Command) -> Any:
    called = methods.get(command.method)
    if called is None:
        return failure(codes.ERROR_METHOD_NOT_FOUND.code, f"there is no method '{command.method[:64]}'")
    return await run_command(context, called, bytes(command.params) or b"{}")
