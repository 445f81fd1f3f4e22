r"""Delta compression in the Fossil format: a patch that rebuilds `target` from `origin`.

Format: `<size>\n`, then copies `<count>@<offset>,` and inserts `<count>:<bytes>`, then `<checksum>;`, all numbers in
Fossil's base 64. Clients only apply patches; this is the encoder.

A patch for a JSON client travels as text, so it must be valid UTF-8 itself: copies are cut back to whole code points,
and inserts then consist of whole ones too. Splitting one is a known way to break clients for good.
"""

import struct
from typing import Final

DIGITS: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"

BLOCK: Final = 16
"""A run shorter than this costs about as much as a copy command."""

MAX_CANDIDATES: Final = 8
"""Places tried per block of the origin: repetitive input would otherwise make the search quadratic."""

MAX_MISSES: Final = 4096
"""Positions looked up in vain before the rest is sent as it is: a patch is made while everybody waits."""


def create_delta(origin: bytes, target: bytes) -> bytes | None:
    """The patch, or None when it would not be smaller than `target` itself.

    When both are valid UTF-8, so is the patch.
    """
    prefix = _back_to_boundary(target, _common_prefix(origin, target))
    rest = min(len(origin), len(target)) - prefix
    suffix = _common_suffix(origin, target, rest)
    suffix_start = _forward_to_boundary(target, len(target) - suffix)
    suffix = len(target) - suffix_start

    parts: list[bytes] = [_number(len(target)), b"\n"]
    if prefix:
        parts += (_number(prefix), b"@0,")
    _encode_middle(parts, origin, target, prefix, suffix_start)
    if suffix:
        parts += (_number(suffix), b"@", _number(len(origin) - suffix), b",")
    parts += (_number(checksum(target)), b";")
    patch = b"".join(parts)
    return patch if len(patch) < len(target) else None


def checksum(content: bytes) -> int:
    """Sum of the content's big-endian 32-bit words, the last one padded with zeros, modulo 2³²."""
    padded = content + b"\0" * (-len(content) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & 0xFFFFFFFF


def _encode_middle(parts: list[bytes], origin: bytes, target: bytes, start: int, end: int) -> None:
    """Copies and inserts for `target[start:end]`."""
    blocks = _blocks(origin) if end - start >= BLOCK else {}
    pending = position = start
    misses = 0
    while position + BLOCK <= end and misses < MAX_MISSES:
        found = _longest_match(blocks, origin, target, position, pending, end)
        if found is None:
            position += 1
            misses += 1
            continue
        begin, source, length = found
        if begin > pending:
            _insert(parts, target[pending:begin])
        parts += (_number(length), b"@", _number(source), b",")
        pending = position = begin + length
    if end > pending:
        _insert(parts, target[pending:end])


def _blocks(origin: bytes) -> dict[bytes, list[int]]:
    blocks: dict[bytes, list[int]] = {}
    for offset in range(0, len(origin) - BLOCK + 1, BLOCK):
        places = blocks.setdefault(origin[offset : offset + BLOCK], [])
        if len(places) < MAX_CANDIDATES:
            places.append(offset)
    return blocks


def _longest_match(
    blocks: dict[bytes, list[int]], origin: bytes, target: bytes, position: int, floor: int, end: int
) -> tuple[int, int, int] | None:
    """(start in target, start in origin, length) of the best copy around `position`, on code point boundaries."""
    best: tuple[int, int, int] | None = None
    for source in blocks.get(target[position : position + BLOCK], ()):
        back = _run_behind(target, position, origin, source, min(position - floor, source))
        ahead = _run_ahead(target, position, origin, source, min(end - position, len(origin) - source))
        begin = _forward_to_boundary(target, position - back)
        stop = _back_to_boundary(target, position + ahead)
        length = stop - begin
        if length >= BLOCK // 2 and (best is None or length > best[2]):
            best = (begin, source - back + (begin - (position - back)), length)
    return best


def _insert(parts: list[bytes], content: bytes) -> None:
    parts += (_number(len(content)), b":", content)


def _number(value: int) -> bytes:
    if value == 0:
        return b"0"
    digits = bytearray()
    while value:
        digits.append(DIGITS[value & 63])
        value >>= 6
    digits.reverse()
    return bytes(digits)


def _common_prefix(a: bytes, b: bytes) -> int:
    return _run_ahead(a, 0, b, 0, min(len(a), len(b)))


def _common_suffix(a: bytes, b: bytes, limit: int) -> int:
    return _run_behind(a, len(a), b, len(b), limit)


def _run_ahead(a: bytes, i: int, b: bytes, j: int, limit: int) -> int:
    """Length of what is equal from `a[i]` and `b[j]` on: growing slices, compared in C, then bisection in the last."""
    known, step = 0, BLOCK
    while known < limit:
        reach = min(known + step, limit)
        if a[i + known : i + reach] != b[j + known : j + reach]:
            limit = reach - 1
            while known < limit:
                middle = (known + limit + 1) // 2
                if a[i + known : i + middle] == b[j + known : j + middle]:
                    known = middle
                else:
                    limit = middle - 1
            return known
        known, step = reach, step * 2
    return known


def _run_behind(a: bytes, i: int, b: bytes, j: int, limit: int) -> int:
    """The same backwards from before `a[i]` and `b[j]`."""
    known, step = 0, BLOCK
    while known < limit:
        reach = min(known + step, limit)
        if a[i - reach : i - known] != b[j - reach : j - known]:
            limit = reach - 1
            while known < limit:
                middle = (known + limit + 1) // 2
                if a[i - middle : i - known] == b[j - middle : j - known]:
                    known = middle
                else:
                    limit = middle - 1
            return known
        known, step = reach, step * 2
    return known


def _back_to_boundary(text: bytes, position: int) -> int:
    """The last position ≤ `position` that does not split a code point of `text`."""
    while 0 < position < len(text) and text[position] & 0xC0 == 0x80:
        position -= 1
    return position


def _forward_to_boundary(text: bytes, position: int) -> int:
    while position < len(text) and text[position] & 0xC0 == 0x80:
        position += 1
    return position
