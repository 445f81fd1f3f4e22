"""Renders docs/decisions.md, the decisions by the part of the code that they are about, from DECISIONS.md.

What a decision is about is what it names: most of all the tests of its check, which mirror the code. `./mobula fix`
writes the page, `./mobula check` compares.
"""

import re
from collections import defaultdict
from pathlib import Path

from cluster.settings import ROOT

ENTRY = re.compile(r"^\*\*(D-\d{3}) · (.+?)\*\*(.*?)(?=^\*\*D-|^## |\Z)", re.MULTILINE | re.DOTALL)
PLACE = re.compile(
    r"`(?:(?:tests/(?:unit|integration|cluster)/)?(serve_app|actors|tasks|db|cluster)/([a-z_]+)(/?)"
    r"|(frontend|loadtests)/|tests/(e2e)/)"
)
ORDER = ("serve_app", "actors", "tasks", "db", "cluster", "frontend", "loadtests", "e2e")
WHOLE = "the whole"

HEAD = """# Decisions by subject

Generated from [DECISIONS.md](../DECISIONS.md) by `./mobula fix`: under each part of the code, the decisions that name
it or its tests. Each has its reasons there, under its number.
"""


def decisions(text: str) -> dict[str, tuple[str, str]]:
    """Number to title and reasons, in their order."""
    return {number: (" ".join(title.split()).rstrip("."), body) for number, title, body in ENTRY.findall(text)}


def places(body: str) -> list[str]:
    """The slices that a decision names (`actors/brokers`), or rooms (`cluster`); where it names none, the whole."""
    found = set()
    for room, part, inside, *others in PLACE.findall(body):
        whole_room = next((other for other in others if other), room)
        found.add(f"{room}/{part}" if inside else whole_room)
    return sorted(found, key=_rank) or [WHOLE]


def render(text: str) -> str:
    """The page."""
    lists: dict[str, list[str]] = defaultdict(list)
    for number, (title, body) in decisions(text).items():
        for place in places(body):
            lists[place].append(f"- {number} {title}")
    parts = [f"## {place}\n\n" + "\n".join(lists[place]) for place in sorted(lists, key=_rank)]
    return "\n\n".join([HEAD.rstrip("\n"), *parts]) + "\n"


def generated() -> dict[Path, str]:
    """File to content."""
    text = (ROOT / "DECISIONS.md").read_text(encoding="utf-8")
    return {ROOT / "docs" / "decisions.md": render(text)}


def _rank(place: str) -> tuple[int, str]:
    room = place.split("/")[0]
    return (ORDER.index(room) if room in ORDER else -1, place)
