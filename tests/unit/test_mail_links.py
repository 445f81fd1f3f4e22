"""Every link in a mail leads to a page of the front end."""

import re
from pathlib import Path

import pytest

from cluster.settings import ROOT

PAGES = ROOT / "frontend" / "src" / "app"
TABS = ROOT / "frontend" / "src" / "features" / "auth" / "components" / "settings-tabs.tsx"
LINK = re.compile(r"\{[\w.]*public_url\}([^\"'\s]*)")


def written() -> set[str]:
    """What mails append to the public address; what is put in at run time is `{…}`."""
    return {link for file in (ROOT / "tasks").rglob("*.py") for link in LINK.findall(file.read_text(encoding="utf-8"))}


def routes() -> list[re.Pattern[str]]:
    """The addresses of the App Router: groups are no part of them, `[id]` is any one segment."""
    found = []
    for page in PAGES.rglob("page.tsx"):
        parts = [part for part in page.parent.relative_to(PAGES).parts if not re.fullmatch(r"\(.*\)", part)]
        found.append("/" + "/".join("[^/]+" if part.startswith("[") else re.escape(part) for part in parts))
    return [re.compile(pattern) for pattern in found]


def leads_somewhere(link: str) -> bool:
    path, _, query = link.partition("#")[0].partition("?")
    known = any(route.fullmatch(path or "/") for route in routes())
    tab = re.fullmatch(r"tab=([a-z-]+)", query)
    return known and (not query or (tab is not None and tab[1] in tabs()))


def tabs() -> set[str]:
    (listed,) = re.findall(r"TABS = \[([^\]]*)\]", TABS.read_text(encoding="utf-8"))
    return set(re.findall(r'"([a-z-]+)"', listed))


@pytest.mark.parametrize("link", sorted(written()))
def test_links_lead_to_pages(link: str) -> None:
    assert leads_somewhere(link), link


@pytest.mark.parametrize("link", ["/account/sessions", "/settings?tab=nothing", "/orders/{id}/more", "/(app)/orders"])
def test_others_are_noticed(link: str) -> None:
    assert not leads_somewhere(link)


def test_links_are_found_at_all() -> None:
    assert {"/orders/{event.order_id}", "/settings?tab=sessions", "/login"} <= written()
    assert Path(PAGES, "(app)", "settings", "page.tsx").exists()
