"""JSON Schema of the protocol's messages: `python -m actors.protocol.schema [file]`. `mobula check` compares."""

import json
import sys
import types
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from actors.protocol.frames import Command, Message, Reply

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "docs" / "frames.schema.json"
"""The committed copy."""


def schema() -> dict[str, Any]:
    """A schema document that accepts a command or a reply."""
    roots, components = msgspec.json.schema_components(
        [_described(Command), _described(Reply)], ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Realtime protocol messages",
        "anyOf": list(roots),
        "$defs": components,
    }


@cache
def _described(message: type[Message]) -> type[msgspec.Struct]:
    """A twin whose Raw fields are "any value": msgspec cannot describe a default of type Raw."""
    hints = get_type_hints(message, include_extras=True)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(message):
        kind = _twin(hints[field.name])
        if field.required:
            fields.append((field.name, kind))
        elif kind is Any:
            fields.append((field.name, Any | msgspec.UnsetType, msgspec.UNSET))
        elif field.default is not msgspec.NODEFAULT:
            fields.append((field.name, kind, field.default))
        else:
            fields.append((field.name, kind, msgspec.field(default_factory=field.default_factory)))
    return msgspec.defstruct(message.__name__, fields, namespace={"__doc__": message.__doc__})


def _twin(kind: Any) -> Any:
    if kind is msgspec.Raw:
        return Any
    if isinstance(kind, type) and issubclass(kind, Message):
        return _described(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (list, dict):
        return origin[tuple(_twin(argument) for argument in arguments)]
    if origin in (Union, types.UnionType):
        return Union[tuple(_twin(argument) for argument in arguments)]  # noqa: UP007 - built at run time
    return kind


def rendered() -> str:
    """The text of the committed file."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write the file."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else SCHEMA_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(rendered(), encoding="utf-8")


if __name__ == "__main__":
    main()
