"""Parts cover the table once, and the budget ends."""

import itertools
import time
from datetime import UTC, datetime

import pytest

from tasks.context import Refused
from tasks.exports.snapshot import PART_BLOCKS, PART_ROWS, Snapshot


def taken(blocks: int, budget_s: float = 10.0, rows: int = 10**9) -> Snapshot:
    return Snapshot("n", "0/0", datetime.now(UTC), blocks, rows, time.monotonic() + budget_s)


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
@pytest.mark.parametrize("blocks", [0, 1, PART_BLOCKS, PART_BLOCKS + 1, 3 * PART_BLOCKS, 100_000])
def test_parts_touch_without_overlap_and_cover_every_block(blocks: int, processes: int) -> None:
    parts = taken(blocks).parts(processes)
    assert parts[0][0] == 0
    assert all(before[1] == after[0] for before, after in itertools.pairwise(parts))
    assert parts[-1][1] == max(1, blocks)
    assert all(0 < end - start <= PART_BLOCKS for start, end in parts)


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_several_parts_are_even_and_come_in_multiples_of_the_processes(processes: int) -> None:
    parts = taken(5 * PART_BLOCKS).parts(processes)
    assert len(parts) % processes == 0
    sizes = {end - start for start, end in parts}
    assert max(sizes) - min(sizes) < processes * len(parts)


def test_few_rows_are_one_part_however_large_their_table() -> None:
    assert len(taken(100 * PART_BLOCKS, rows=PART_ROWS).parts(4)) == 1
    assert len(taken(100 * PART_BLOCKS, rows=3 * PART_ROWS).parts(2)) == 4
    assert len(taken(1, rows=0).parts(4)) == 1


def test_budget() -> None:
    taken(1).check_budget()
    with pytest.raises(Refused, match="snapshot"):
        taken(1, -1.0).check_budget()
