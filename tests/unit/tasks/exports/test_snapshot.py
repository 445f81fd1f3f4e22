"""Parts cover the table once, and the budget ends."""

import itertools
import time
from datetime import UTC, datetime

import pytest

from tasks.context import Refused
from tasks.exports.snapshot import PART_BLOCKS, Snapshot


def taken(blocks: int, budget_s: float = 10.0) -> Snapshot:
    return Snapshot("n", "0/0", datetime.now(UTC), blocks, 0, time.monotonic() + budget_s)


@pytest.mark.parametrize("blocks", [0, 1, PART_BLOCKS, PART_BLOCKS + 1, 3 * PART_BLOCKS, 100_000])
def test_parts_touch_without_overlap_and_cover_every_block(blocks: int) -> None:
    parts = taken(blocks).parts()
    assert parts[0][0] == 0
    assert all(before[1] == after[0] for before, after in itertools.pairwise(parts))
    assert parts[-1][1] == max(1, blocks)
    assert all(0 < end - start <= PART_BLOCKS for start, end in parts)


def test_budget() -> None:
    taken(1).check_budget()
    with pytest.raises(Refused, match="snapshot"):
        taken(1, -1.0).check_budget()
