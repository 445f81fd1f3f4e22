"""What holds for every tracked file, whatever it is written in."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from cluster.settings import ROOT

LARGE_BYTES = 1_000_000
TAKEN_OVER = Path("serve_app/docs/static")
"""Files of others, as they came."""
MERGE_MARK = re.compile(rb"^(?:<{7} |={7}$|>{7} )", re.MULTILINE)
TRAILING_BLANKS = re.compile(rb"[ \t]+$", re.MULTILINE)


def tracked() -> Iterator[tuple[Path, bytes]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        file = ROOT / name
        if not Path(name).is_relative_to(TAKEN_OVER) and file.is_file() and not file.is_symlink():
            yield Path(name), file.read_bytes()


def is_text(content: bytes) -> bool:
    return b"\0" not in content


def test_nothing_large_is_tracked() -> None:
    assert [name for name, content in tracked() if len(content) > LARGE_BYTES] == []


def test_no_marks_of_a_merge_are_left() -> None:
    assert [name for name, content in tracked() if is_text(content) and MERGE_MARK.search(content)] == []


def test_lines_end_where_their_text_ends_and_files_with_a_line() -> None:
    def is_untidy(content: bytes) -> bool:
        return bool(TRAILING_BLANKS.search(content)) or not content.endswith(b"\n")

    assert [name for name, content in tracked() if content and is_text(content) and is_untidy(content)] == []


def test_decisions_are_in_order_and_each_names_its_check() -> None:
    text = (ROOT / "DECISIONS.md").read_text().partition("\n## Dependencies that the seed names")[0]
    entries = re.findall(r"(?<=\n\n)\*\*D-(\d{3}) · .*?(?=\n\n\*\*D-|\n\n## |\Z)", text, re.DOTALL)
    assert len(entries) == text.count("\n**D-"), "each begins after an empty line"
    assert len(set(entries)) == len(entries)
    for section in text.split("\n## ")[-1:]:
        numbers = re.findall(r"^\*\*D-(\d{3}) · ", section, re.MULTILINE)
        assert numbers == sorted(numbers)
    whole = re.split(r"\n\n(?=\*\*D-\d{3} · |## )", text)
    assert [entry[:40] for entry in whole if entry.startswith("**D-") and "*Check" not in entry] == []
