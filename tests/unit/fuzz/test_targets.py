"""What the fuzzer would run holds on its seeds, on their halves, and on what hypothesis thinks of."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.cli import fuzzing
from tests.fuzz import targets
from tests.fuzz.targets import SEEDS, SEPARATOR, TARGETS


def test_the_command_knows_every_target_and_each_has_seeds() -> None:
    assert fuzzing.TARGETS == tuple(TARGETS) == tuple(SEEDS)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_what_is_left_of_cut_ones(name: str) -> None:
    for seed in SEEDS[name]:
        for end in {len(seed), len(seed) // 2, 1, 0}:
            TARGETS[name](seed[:end])


@settings(max_examples=60)
@given(st.sampled_from([name for name in TARGETS if name != "connection"]), st.binary(max_size=200))
def test_any_bytes(name: str, data: bytes) -> None:
    TARGETS[name](data)


@settings(max_examples=30)
@given(st.sampled_from([b"\x00", b"\x02", b"\x03"]), st.lists(st.binary(max_size=60), max_size=3))
def test_any_frames(kind: bytes, frames: list[bytes]) -> None:
    targets.connection(kind + SEPARATOR.join(frames))


@pytest.mark.parametrize(
    ("name", "broken", "data"),
    [
        ("varint", "read_varint", b"\x05"),
        ("fossil", "apply_delta", SEEDS["fossil"][0]),
    ],
)
def test_a_fault_is_noticed(name: str, broken: str, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: dict[str, Callable[..., object]] = {
        "read_varint": lambda content, position, end: (len(content) + 7, end + 1),
        "apply_delta": lambda origin, patch: b"something else",
    }
    monkeypatch.setattr(targets, broken, faults[broken])
    with pytest.raises(AssertionError):
        TARGETS[name](data)
