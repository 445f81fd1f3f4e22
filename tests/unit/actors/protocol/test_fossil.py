"""The encoder against the unmodified SDK's decoder."""

from typing import Any

import pytest
from centrifuge.fossil import apply_delta
from centrifuge.fossil import checksum as sdk_checksum
from hypothesis import given
from hypothesis import strategies as st

from actors.protocol import fossil
from actors.protocol.fossil import MAX_MISSES, _run_ahead, _run_behind, checksum, create_delta

ORIGIN = b'{"match":"Arsenal - Chelsea","minute":12,"events":["kick-off","corner","throw-in"],"score":[0,0]}'


def test_a_small_edit_makes_a_small_patch() -> None:
    target = ORIGIN.replace(b'"minute":12', b'"minute":13')
    patch = create_delta(ORIGIN, target)
    assert patch is not None
    assert len(patch) < 30
    assert apply_delta(ORIGIN, patch) == target


def test_moved_blocks_are_copied_not_sent() -> None:
    origin = b"".join(bytes([65 + i]) * 40 for i in range(6))
    target = origin[120:] + origin[:120]
    patch = create_delta(origin, target)
    assert patch is not None
    assert len(patch) < 60
    assert apply_delta(origin, patch) == target


def test_nothing_in_common_is_refused() -> None:
    assert create_delta(b"a" * 50, b"zyxwv") is None
    assert create_delta(b"", b"fresh") is None


@given(st.binary(max_size=300))
def test_checksum_is_the_sdks(content: bytes) -> None:
    assert checksum(content) == sdk_checksum(content)


@given(st.binary(max_size=200), st.binary(max_size=80), st.integers(0, 200), st.integers(0, 60))
def test_any_edit_round_trips(origin: bytes, inserted: bytes, at: int, removed: int) -> None:
    at = min(at, len(origin))
    target = origin[:at] + inserted + origin[at + removed :]
    patch = create_delta(origin, target)
    if patch is not None:
        assert apply_delta(origin, patch) == target


@pytest.mark.parametrize("alphabet", ["абвгд", "日本語テキスト", "a😀b👍🏽", "eéèê"])
@given(data=st.data())
def test_patches_between_texts_are_texts(alphabet: str, data: st.DataObject) -> None:
    words = st.text(alphabet=alphabet, min_size=0, max_size=60)
    before, edit, after = data.draw(words), data.draw(st.text(alphabet=alphabet, max_size=3)), data.draw(words)
    origin = (before + after).encode() * 2
    target = (before + edit + after).encode() * 2
    patch = create_delta(origin, target)
    if patch is not None:
        patch.decode("utf-8")
        assert apply_delta(origin, patch) == target


def test_one_letter_edits_in_russian_stay_text() -> None:
    text = "Матч начался вовремя, обе команды играют осторожно. " * 4
    for position in range(len(text)):
        target = (text[:position] + "ё" + text[position + 1 :]).encode()
        patch = create_delta(text.encode(), target)
        assert patch is not None
        patch.decode("utf-8")
        assert apply_delta(text.encode(), patch) == target


@given(st.binary(max_size=80), st.binary(max_size=80), st.data())
def test_runs_are_as_long_as_they_are(a: bytes, b: bytes, data: st.DataObject) -> None:
    i, j = data.draw(st.integers(0, len(a))), data.draw(st.integers(0, len(b)))
    ahead = min(len(a) - i, len(b) - j)
    wanted = next((n for n in range(ahead) if a[i + n] != b[j + n]), ahead)
    assert _run_ahead(a, i, b, j, ahead) == wanted
    behind = min(i, j)
    wanted = next((n for n in range(behind) if a[i - n - 1] != b[j - n - 1]), behind)
    assert _run_behind(a, i, b, j, behind) == wanted


@pytest.mark.parametrize(
    ("origin", "target"),
    [
        (b"ab" * 32_000 + b"x" + b"ab" * 500, b"y" + b"ab" * 32_000 + b"z" + b"ab" * 400),
        (b"a" * 64_000, b"b" + b"a" * 30_000 + b"b" + b"a" * 33_000 + b"c"),
        (bytes(n * n % 251 for n in range(60_000)), bytes(n * n % 241 for n in range(60_000))),
    ],
    ids=["alternating", "one letter", "nothing in common"],
)
def test_hostile_pairs_cost_a_bounded_search(origin: bytes, target: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    search = fossil._longest_match

    def counted(*arguments: Any) -> Any:
        tried.append(1)
        return search(*arguments)

    monkeypatch.setattr(fossil, "_longest_match", counted)
    patch = create_delta(origin, target)
    assert len(tried) <= MAX_MISSES + 100
    if patch is not None:
        assert apply_delta(origin, patch) == target
