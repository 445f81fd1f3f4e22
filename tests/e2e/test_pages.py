"""Every page opens without a fault, and for everybody; its picture is kept (in docs/screenshots on request)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from tests.fixtures.visitors import PICTURES, Visitor, Welcome

PAGES = ("dashboard", "catalogue", "orders", "conversations", "exports", "settings", "notifications")
OPERATORS_PAGES = ("desk", "people", "realtime", "jobs", "audit", "mailbox")
STRANGERS_PAGES: dict[str, tuple[Literal["form", "heading"], str]] = {
    "register": ("form", "Create an account"),
    "forgot-password": ("form", "Forgot your password"),
    "reset-password#made-up": ("form", "Choose a new password"),
    "reset-password": ("heading", "This link does not work"),
    "verify-email": ("heading", "This link does not work"),
}
"""For who is not signed in, and what is on them once they are complete."""

PHONES = ((390, 844), (320, 568))
SCROLLS_SIDEWAYS = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"

AXE = Path(__file__).resolve().parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
VIOLATIONS = """
async () => {
  const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
  const { violations } = await axe.run(document, { runOnly, resultTypes: ['violations'] });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
    `${id}: ${target.join(' ')}: ${failureSummary}`));
}
"""
FOCUSED = "() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? ''"
MOST_STOPS = 120


async def opens(visitor: Visitor, path: str) -> None:
    """Open a page, and wait until everything on it has been loaded."""
    await visitor.page.goto(f"{visitor.url}/{path}")
    await expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    await visitor.is_live()
    await expect(visitor.page.locator("[aria-busy=true]")).to_have_count(0)


async def is_sound(visitor: Visitor, name: str, path: str | None = None) -> None:
    """A page opens (at `path`, if that is not its name), fits, and is for everybody. Keeps its picture."""
    await opens(visitor, path or name)
    assert not await visitor.page.evaluate(SCROLLS_SIDEWAYS), f"{name} scrolls sideways"
    await visitor.screenshot(PICTURES, name)
    await is_accessible(visitor.page, name)


async def fits_phones(visitor: Visitor, paths: Iterable[str]) -> None:
    """None of the pages is wider than a phone. Leaves the window as wide as the last one."""
    heading = visitor.page.get_by_role("main").get_by_role("heading").first  # of a thread, the list's is hidden there
    for width, height in PHONES:
        await visitor.page.set_viewport_size({"width": width, "height": height})
        for path in paths:
            await visitor.page.goto(f"{visitor.url}/{path}")
            await expect(heading).to_be_visible()
            assert not await visitor.page.evaluate(SCROLLS_SIDEWAYS), f"{path} scrolls sideways at {width} px"


async def is_accessible(page: Page, name: str) -> None:
    """What a machine can find of WCAG, in both themes."""
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        await page.evaluate(AXE.read_text())
        assert await page.evaluate(VIOLATIONS) == [], f"{name}, {theme}"
    await page.emulate_media(color_scheme="light")


async def tab_to(page: Page, label: str, *, key: str = "Tab") -> None:
    """Walk to a control with the keyboard."""
    for _ in range(MOST_STOPS):
        await page.keyboard.press(key)
        if label in await page.evaluate(FOCUSED):
            return
    raise AssertionError(f"no way leads to {label!r} by {key}")


async def talk(ada: Visitor, bob: Visitor) -> str:
    """Let two people have said something to one another. Returns the conversation's id."""
    begun = await bob.post("/api/v1/conversations", {"title": "Tea", "participant_usernames": [ada.name]})
    messages = f"/api/v1/conversations/{begun['id']}/messages"
    await bob.post(messages, {"body": "Is the kettle on?"})
    await ada.post(messages, {"body": "It is. " + "Earl Grey, or something that is a little longer? " * 4})
    return str(begun["id"])


@pytest.mark.timeout(300)
async def test_every_page_opens(welcome: Welcome) -> None:
    visitor = await welcome()
    await visitor.register()
    await visitor.order_first_product()
    for name in PAGES:
        await is_sound(visitor, name)
    await fits_phones(visitor, PAGES)


@pytest.mark.timeout(300)
async def test_every_page_of_one_thing_opens(welcome: Welcome) -> None:
    ada, bob = await welcome(), await welcome()
    await ada.register()
    await bob.register()
    [product] = (await ada.api("/api/v1/products?limit=1"))["items"]
    paths = {"thread": f"conversations/{await talk(ada, bob)}", "product-page": f"catalogue/{product['id']}"}
    for name, path in paths.items():
        await is_sound(ada, name, path)
    await is_sound(ada, "notifications-unread", "notifications?unread=true")
    await fits_phones(ada, paths.values())
    # On a phone one looks at either the conversations or one of them, and there is a way between the two.
    await ada.page.goto(f"{ada.url}/{paths['thread']}")
    await expect(ada.page.get_by_test_id("message")).to_have_count(2)
    await is_accessible(ada.page, "a thread on a phone")
    await ada.page.get_by_role("link", name="All conversations").click()
    await ada.page.wait_for_url("**/conversations")
    await ada.page.goto(f"{ada.url}/conversations/00000000-0000-7000-8000-000000000000")
    await expect(ada.page.get_by_role("main").get_by_role("alert")).to_be_visible()
    await ada.page.get_by_role("link", name="All conversations").click()
    await ada.page.wait_for_url("**/conversations")


@pytest.mark.timeout(300)
async def test_every_page_of_operators_opens(operator: Visitor) -> None:
    for name in OPERATORS_PAGES:
        await is_sound(operator, name)


@pytest.mark.timeout(300)
async def test_every_page_of_administrators_opens(admin: Visitor) -> None:
    me = await admin.api("/api/v1/auth/me")
    person = next(item for item in (await admin.api("/api/v1/users"))["items"] if item["id"] != me["id"])
    paths = {"categories-page": "catalogue/categories", "person": f"people/{person['id']}"}
    for name, path in paths.items():
        await is_sound(admin, name, path)
    await fits_phones(admin, paths.values())


async def test_every_page_of_strangers_opens(welcome: Welcome) -> None:
    stranger = await welcome()
    for path, (role, name) in STRANGERS_PAGES.items():
        await stranger.page.goto(f"{stranger.url}/")  # what is behind # alone loads no page
        await stranger.page.goto(f"{stranger.url}/{path}")
        await expect(stranger.page.get_by_role("heading", level=1)).to_be_visible()
        await expect(stranger.page.get_by_role(role, name=name)).to_be_visible()
        assert not await stranger.page.evaluate(SCROLLS_SIDEWAYS), f"{path} scrolls sideways"
        await is_accessible(stranger.page, path)


async def test_what_one_writes_into_is_in_view_below_a_banner(welcome: Welcome) -> None:
    ada = await welcome()
    await ada.register()
    lobby = next(item for item in (await ada.api("/api/v1/conversations"))["items"] if item["is_public"])
    await ada.post(f"/api/v1/conversations/{lobby['id']}/join", {})
    for width, height in ((1440, 900), (390, 700)):
        await ada.page.set_viewport_size({"width": width, "height": height})
        await ada.page.goto(f"{ada.url}/conversations/{lobby['id']}")
        await expect(ada.page.get_by_role("region", name="Confirm your address")).to_be_visible()
        await expect(ada.page.get_by_label("Message", exact=True)).to_be_in_viewport(ratio=1)
        await ada.screenshot(PICTURES, f"thread-{width}")
    await expect(ada.page).to_have_title(f"{lobby['title']} · Mobula")
    viewport = ada.page.locator("meta[name=viewport]")
    assert "interactive-widget=resizes-content" in (await viewport.get_attribute("content") or "")


async def test_something_is_bought_by_keyboard_alone(welcome: Welcome) -> None:
    ada = await welcome()
    await ada.register()
    await ada.page.goto(f"{ada.url}/catalogue")
    await expect(ada.page.get_by_role("list", name="Products")).to_be_visible()
    await tab_to(ada.page, "Skip to content")
    await ada.page.keyboard.press("Enter")
    await tab_to(ada.page, "to cart")
    await ada.page.keyboard.press("Enter")
    await expect(ada.page.get_by_role("button", name="Cart, 1 item")).to_be_visible()
    await tab_to(ada.page, "Cart, 1 item", key="Shift+Tab")
    await ada.page.keyboard.press("Enter")
    place = ada.page.get_by_role("form", name="Checkout").get_by_role("button", name="Place order")
    await expect(place).to_be_enabled()
    await is_accessible(ada.page, "the cart")
    await tab_to(ada.page, "Place order")
    await ada.page.keyboard.press("Enter")
    await ada.page.wait_for_url("**/orders/*")
    await expect(ada.page.get_by_role("heading", level=1)).to_be_visible()
    await is_accessible(ada.page, "an order")


async def test_who_is_signed_in_is_not_asked_to_sign_in(welcome: Welcome) -> None:
    ada = await welcome()
    await ada.page.goto(ada.url)
    await expect(ada.page.get_by_role("link", name="Sign in")).to_be_visible()
    await is_accessible(ada.page, "the first page")
    await ada.register()
    await ada.page.goto(ada.url)
    await expect(ada.page.get_by_role("link", name="Open the dashboard")).to_be_visible()
    await ada.page.goto(f"{ada.url}/login?next=%2Forders")
    await is_accessible(ada.page, "signing in")
    await ada.page.get_by_role("link", name="Continue").click()
    await ada.page.wait_for_url("**/orders")
