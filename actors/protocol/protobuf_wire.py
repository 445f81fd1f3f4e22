"""Protobuf's wire format for the protocol's types, driven by one table of tags per type.

Kinds follow from the Python types of `frames`; the table adds only the field numbers of `client.proto`. Every length is
checked against the bytes that are there before anything is taken, and nesting is as deep as the types are, so hostile
input costs no more than its own size.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from actors.protocol.frames import EMPTY

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5

MAX_VARINT_BYTES: Final = 10
MASK64: Final = (1 << 64) - 1


class WireError(ValueError):
    """These bytes are not a message."""


Struct = TypeVar("Struct", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    name: str
    kind: str
    """varint, zigzag, bool, text, raw, message, messages, texts, text_map, message_map"""
    message: type[msgspec.Struct] | None
    maximum: int


class Wire:
    """Encodes and decodes the types of a table {type: {field name: number}}."""

    def __init__(self, tags: Mapping[type[msgspec.Struct], Mapping[str, int]]) -> None:
        self._fields = {
            cls: [_field(cls, name, number) for name, number in names.items()] for cls, names in tags.items()
        }
        self._by_number = {cls: {field.number: field for field in fields} for cls, fields in self._fields.items()}

    def encode(self, message: msgspec.Struct) -> bytes:
        """The message without its length."""
        out = bytearray()
        self._encode(out, message)
        return bytes(out)

    def decode(self, cls: type[Struct], content: bytes) -> Struct:
        """A message that is `content` and nothing else. Raises WireError."""
        return self._decode(cls, content, 0, len(content))

    def _encode(self, out: bytearray, message: msgspec.Struct) -> None:
        for field in self._fields[type(message)]:
            value = getattr(message, field.name)
            kind = field.kind
            if kind in ("varint", "bool"):
                if value:
                    write_varint(out, field.number << 3)
                    write_varint(out, int(value))
            elif kind == "zigzag":
                if value:
                    write_varint(out, field.number << 3)
                    write_varint(out, value << 1 if value >= 0 else (-value << 1) - 1)
            elif kind == "text":
                if value:
                    _write_bytes(out, field.number, value.encode())
            elif kind == "raw":
                if value is not EMPTY and bytes(value):
                    _write_bytes(out, field.number, bytes(value))
            elif kind == "message":
                if value is not None:
                    _write_bytes(out, field.number, self.encode(value))
            elif kind == "messages":
                for one in value:
                    _write_bytes(out, field.number, self.encode(one))
            else:
                self._encode_collection(out, field, value)

    def _encode_collection(self, out: bytearray, field: _Field, value: Any) -> None:
        if field.kind == "texts":
            for text in value:
                _write_bytes(out, field.number, text.encode())
            return
        for key, one in value.items():
            entry = bytearray()
            _write_bytes(entry, 1, key.encode())
            _write_bytes(entry, 2, one.encode() if field.kind == "text_map" else self.encode(one))
            _write_bytes(out, field.number, bytes(entry))

    def _decode(self, cls: type[Struct], content: bytes, position: int, end: int) -> Struct:
        fields = self._by_number[cls]
        values: dict[str, Any] = {}
        while position < end:
            key, position = read_varint(content, position, end)
            number, wire = key >> 3, key & 7
            field = fields.get(number)
            if field is None:
                position = _skip(content, position, end, wire)
            elif wire == VARINT:
                value, position = read_varint(content, position, end)
                if field.kind == "bool":
                    values[field.name] = bool(value)
                elif field.kind == "varint":
                    values[field.name] = _in_range(field, value)
                elif field.kind == "zigzag":
                    values[field.name] = value >> 1 if not value & 1 else -((value + 1) >> 1)
                else:
                    raise WireError(f"field {field.name} is no number")
            elif wire == LENGTH:
                length, position = read_varint(content, position, end)
                stop = position + length
                if stop > end:
                    raise WireError(f"field {field.name} is longer than its message")
                self._take(values, field, content, position, stop)
                position = stop
            else:
                raise WireError(f"field {field.name} has wire type {wire}")
        try:
            return cls(**values)
        except TypeError as reason:
            raise WireError(str(reason)) from None

    def _take(self, values: dict[str, Any], field: _Field, content: bytes, start: int, stop: int) -> None:
        kind = field.kind
        if kind == "text":
            values[field.name] = _text(content[start:stop], field)
        elif kind == "raw":
            values[field.name] = msgspec.Raw(content[start:stop]) if stop > start else EMPTY
        elif kind == "texts":
            values.setdefault(field.name, []).append(_text(content[start:stop], field))
        elif kind in ("message", "messages") and field.message is not None:
            message = self._decode(field.message, content, start, stop)
            if kind == "message":
                values[field.name] = message
            else:
                values.setdefault(field.name, []).append(message)
        elif kind in ("text_map", "message_map"):
            key, value = self._entry(field, content, start, stop)
            values.setdefault(field.name, {})[key] = value
        else:
            raise WireError(f"field {field.name} is a number")

    def _entry(self, field: _Field, content: bytes, position: int, end: int) -> tuple[str, Any]:
        key = ""
        value: Any = None
        while position < end:
            tag, position = read_varint(content, position, end)
            if tag & 7 != LENGTH:
                position = _skip(content, position, end, tag & 7)
                continue
            length, position = read_varint(content, position, end)
            stop = position + length
            if stop > end:
                raise WireError(f"entry of {field.name} is longer than its message")
            if tag >> 3 == 1:
                key = _text(content[position:stop], field)
            elif tag >> 3 == 2 and field.message is not None:
                value = self._decode(field.message, content, position, stop)
            elif tag >> 3 == 2:
                value = _text(content[position:stop], field)
            position = stop
        if value is None:
            value = "" if field.message is None else self._decode(field.message, b"", 0, 0)
        return key, value


def write_varint(out: bytearray, value: int) -> None:
    """Append an integer; a negative one as its 64-bit two's complement."""
    value &= MASK64
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def read_varint(content: bytes, position: int, end: int) -> tuple[int, int]:
    """An unsigned integer of up to 64 bits and the position after it. Raises WireError."""
    result = shift = 0
    limit = min(end, position + MAX_VARINT_BYTES)
    while position < limit:
        byte = content[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & MASK64, position
        shift += 7
    raise WireError("truncated or oversized number")


def _write_bytes(out: bytearray, number: int, content: bytes) -> None:
    write_varint(out, number << 3 | LENGTH)
    write_varint(out, len(content))
    out += content


def _skip(content: bytes, position: int, end: int, wire: int) -> int:
    if wire == VARINT:
        return read_varint(content, position, end)[1]
    if wire == LENGTH:
        length, position = read_varint(content, position, end)
        position += length
    elif wire == FIXED64:
        position += 8
    elif wire == FIXED32:
        position += 4
    else:
        raise WireError(f"wire type {wire}")
    if position > end:
        raise WireError("truncated field")
    return position


def _text(content: bytes, field: _Field) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise WireError(f"field {field.name} is not UTF-8") from None
    if len(text) > field.maximum:
        raise WireError(f"field {field.name} is too long")
    return text


def _in_range(field: _Field, value: int) -> int:
    if field.maximum < 0:
        return value - (1 << 64) if value >> 63 else value
    if value > field.maximum:
        raise WireError(f"field {field.name} is too large")
    return value


SIGNED: Final = -1
UNLIMITED: Final = 1 << 62


def _field(cls: type[msgspec.Struct], name: str, number: int) -> _Field:
    hint = typing.get_type_hints(cls, include_extras=True)[name]
    kind, message, maximum = _kind(hint)

    return _Field(number, name, kind, message, maximum)


def _kind(hint: Any) -> tuple[str, type[msgspec.Struct] | None, int]:
    """(kind, message type, maximum) of a field's type."""
    if typing.get_origin(hint) is typing.Annotated:
        base, meta = typing.get_args(hint)[:2]
        kind, message, _ = _kind(base)
        if kind == "text":
            return kind, message, meta.max_length or UNLIMITED
        if (meta.extra or {}).get("zigzag"):
            return "zigzag", message, SIGNED
        return kind, message, SIGNED if (meta.ge or 0) < 0 else meta.le
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _kind(next(one for one in arguments if one is not type(None)))
    if origin is list:
        return ("texts", None, UNLIMITED) if arguments[0] is str else ("messages", arguments[0], UNLIMITED)
    if origin is dict:
        return ("text_map", None, UNLIMITED) if arguments[1] is str else ("message_map", arguments[1], UNLIMITED)
    simple: dict[Any, str] = {bool: "bool", int: "varint", str: "text", msgspec.Raw: "raw"}
    if hint in simple:
        return simple[hint], None, SIGNED if hint is int else UNLIMITED
    return "message", hint, UNLIMITED
