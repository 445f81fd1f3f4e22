"""What goes on between two tabs of one person, and between two people who look at the same thing."""

import asyncio
import re
import secrets

from playwright.async_api import Page, Route, expect

from tests.fixtures.visitors import Visitor, Welcome


async def another_tab(visitor: Visitor, path: str) -> Page:
    """A second tab of the same browser."""
    page = await visitor.context.new_page()
    await page.goto(f"{visitor.url}{path}")
    return page


async def test_tabs_share_one_cart_and_one_person(welcome: Welcome) -> None:
    ada, bob = await welcome(), await welcome()
    await bob.register()
    await ada.register()
    await ada.go_to("Catalogue")
    second = await another_tab(ada, "/dashboard")
    await expect(second.get_by_role("heading", name=f"Hello, {ada.name}")).to_be_visible()

    products = ada.page.get_by_role("list", name="Products")
    await products.get_by_role("button", name="to cart").first.click()
    await expect(second.get_by_role("button", name="Cart, 1 item")).to_be_visible()

    # Signing out in one tab is signing out in all; who comes next finds neither her page nor her cart.
    await second.get_by_role("button", name=f"Account: {ada.name}").click()
    await second.get_by_role("menuitem", name="Sign out").click()
    await second.wait_for_url("**/login*")
    await ada.page.wait_for_url("**/login*")
    await ada.sign_in(bob.email, bob.password)
    await expect(ada.page.get_by_role("button", name="Cart, empty")).to_be_visible()

    # Somebody else signs in in one tab: the other one is theirs as well, at once.
    third = await another_tab(ada, "/orders")
    await expect(third.get_by_role("button", name=f"Account: {bob.name}")).to_be_visible()
    await ada.page.goto(f"{ada.url}/login")
    await ada.sign_in(ada.email, ada.password)
    await expect(third.get_by_role("button", name=f"Account: {ada.name}")).to_be_visible()


async def test_an_order_whose_answer_is_lost_is_placed_once(welcome: Welcome) -> None:
    ada = await welcome()
    await ada.register()
    await ada.go_to("Catalogue")
    await ada.page.get_by_role("list", name="Products").get_by_role("button", name="to cart").first.click()
    placed = asyncio.Event()

    async def lose(route: Route) -> None:
        """Let the first order through, and keep its answer."""
        if route.request.method != "POST" or placed.is_set():
            await route.continue_()
            return
        await route.fetch()
        placed.set()

    await ada.page.route("**/api/v1/orders", lose)
    await ada.page.get_by_role("button", name="Cart, 1 item").click()
    place = ada.page.get_by_role("form", name="Checkout").get_by_role("button", name="Place order")
    await place.click()
    await expect(place).to_have_attribute("aria-busy", "true")
    await ada.page.keyboard.press("Escape")
    await expect(ada.page.get_by_role("dialog", name="Your cart")).to_be_visible()
    await placed.wait()
    await ada.page.reload()
    await ada.is_live()
    await ada.page.get_by_role("button", name="Cart, 1 item").click()
    await place.click()
    await ada.page.wait_for_url("**/orders/*")
    [order] = (await ada.api("/api/v1/orders"))["items"]
    assert ada.page.url.endswith(order["id"])
    await expect(ada.page.get_by_role("button", name="Cart, empty")).to_be_visible()


async def test_a_conversation_appears_to_who_is_added_and_moves_as_it_goes_on(welcome: Welcome) -> None:
    ada, bob = await welcome(), await welcome()
    await ada.register()
    await bob.register()
    await bob.go_to("Conversations")
    title = f"Tea {secrets.token_hex(3)}"
    await ada.start_conversation(title, bob.name)
    listed = bob.page.get_by_role("region", name="Conversations").get_by_role("link", name=title)
    await expect(listed).to_contain_text("No messages yet")
    await ada.say("Is the kettle on?")
    await expect(listed).to_contain_text("Is the kettle on?")
    await expect(listed).to_contain_text("1 unread")
    bell = bob.page.get_by_role("button", name="Notifications, 1 unread")
    await expect(bell).to_be_visible()
    await listed.click()
    await expect(bob.page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()


async def test_a_page_that_crashes_leaves_the_others_alone(welcome: Welcome) -> None:
    ada = await welcome()
    await ada.register()
    await ada.page.route(re.compile(r"/api/v1/orders\?"), lambda route: route.fulfill(json={"items": None}))
    await ada.go_to("Orders")
    failed = ada.page.get_by_role("alert").filter(has_text="This page stopped working")
    await expect(failed).to_be_visible()
    await expect(failed).not_to_contain_text("cannot be reached")
    await ada.is_live()
    await ada.go_to("Catalogue")
    await expect(ada.page.get_by_role("list", name="Products")).to_be_visible()
