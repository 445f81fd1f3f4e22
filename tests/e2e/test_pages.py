"""Every page opens without a fault, and for everybody; its picture is kept (in docs/screenshots on request)."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.fixtures.visitors import PICTURES, Visitor, Welcome

PAGES = ("dashboard", "catalogue", "orders", "conversations", "exports", "settings")
OPERATORS_PAGES = ("desk", "people", "realtime", "jobs", "audit", "mailbox")
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


async def opens(visitor: Visitor, name: str) -> None:
    """Open a page, and wait until everything on it has been loaded."""
    await visitor.page.goto(f"{visitor.url}/{name}")
    await expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    await visitor.is_live()
    await expect(visitor.page.locator("[aria-busy=true]")).to_have_count(0)


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


@pytest.mark.timeout(300)
async def test_every_page_opens(welcome: Welcome) -> None:
    visitor = await welcome()
    await visitor.register()
    await visitor.order_first_product()
    for name in PAGES:
        await opens(visitor, name)
        assert not await visitor.page.evaluate(SCROLLS_SIDEWAYS), f"{name} scrolls sideways"
        await visitor.screenshot(PICTURES, name)
        await is_accessible(visitor.page, name)
    for width, height in ((390, 844), (320, 568)):
        await visitor.page.set_viewport_size({"width": width, "height": height})
        for name in PAGES:
            await visitor.page.goto(f"{visitor.url}/{name}")
            await expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
            assert not await visitor.page.evaluate(SCROLLS_SIDEWAYS), f"{name} scrolls sideways at {width} px"


@pytest.mark.timeout(300)
async def test_every_page_of_operators_opens(operator: Visitor) -> None:
    for name in OPERATORS_PAGES:
        await opens(operator, name)
        assert not await operator.page.evaluate(SCROLLS_SIDEWAYS), f"{name} scrolls sideways"
        await operator.screenshot(PICTURES, name)
        await is_accessible(operator.page, name)


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
