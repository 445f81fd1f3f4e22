"""Every page of the application opens without a fault; its picture is kept (in docs/screenshots on request)."""

import pytest
from playwright.async_api import expect

from tests.fixtures.visitors import PICTURES, Welcome

PAGES = ("dashboard", "catalogue", "orders", "conversations", "exports", "settings")
SCROLLS_SIDEWAYS = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.mark.timeout(300)
async def test_every_page_opens(welcome: Welcome) -> None:
    visitor = await welcome()
    await visitor.register()
    await visitor.order_first_product()
    for name in PAGES:
        await visitor.page.goto(f"{visitor.url}/{name}")
        await expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
        await visitor.is_live()
        await expect(visitor.page.locator("[aria-busy=true]")).to_have_count(0)
        assert not await visitor.page.evaluate(SCROLLS_SIDEWAYS), f"{name} scrolls sideways"
        await visitor.screenshot(PICTURES, name)
    await visitor.page.set_viewport_size({"width": 390, "height": 844})
    for name in PAGES:
        await visitor.page.goto(f"{visitor.url}/{name}")
        await expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
        assert not await visitor.page.evaluate(SCROLLS_SIDEWAYS), f"{name} scrolls sideways on a phone"
