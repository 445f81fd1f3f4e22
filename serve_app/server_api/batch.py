"""Many commands in one request."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from actors.protocol import codes
from serve_app.server_api.registry import Context, Method, failure, run_command

MAX_COMMANDS: Final = 1000
AT_ONCE: Final = 64
"""Commands of a parallel batch that are under way at the same time."""


class Batch(Struct):
    """`{"commands": [{"publish": {…}}, …], "parallel": false}`. In order, one after another, unless parallel."""

    commands: Annotated[list[dict[str, Raw]], Meta(max_length=MAX_COMMANDS)] = []
    parallel: bool = False


decoder: Final = msgspec.json.Decoder(Batch)


async def run_batch(context: Context, methods: Mapping[str, Method], body: Batch) -> Any:
    """`{"replies": [{"publish": {…}}, {"error": {…}}]}`: a reply per command, in the order of the commands.

    A command that fails does not stop the others.
    """
    if not body.parallel:
        return {"replies": [await _reply(context, methods, command) for command in body.commands]}
    gate = asyncio.Semaphore(AT_ONCE)

    async def gated(command: dict[str, Raw]) -> Any:
        async with gate:
            return await _reply(context, methods, command)

    return {"replies": await asyncio.gather(*(gated(command) for command in body.commands))}


async def _reply(context: Context, methods: Mapping[str, Method], command: dict[str, Raw]) -> Any:
    if len(command) != 1:
        return failure(codes.ERROR_BAD_REQUEST.code, "a command has one method")
    ((name, raw),) = command.items()
    called = methods.get(name)
    if called is None:
        return failure(codes.ERROR_METHOD_NOT_FOUND.code, f"there is no method '{name[:64]}'")
    ended = await run_command(context, called, raw)
    return {name: ended["result"]} if "result" in ended else ended
