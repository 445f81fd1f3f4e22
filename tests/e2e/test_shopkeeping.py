"""From an empty shelf to a parcel: an administrator fills the catalogue, a customer buys, and sees the order move."""

import re
import secrets

import pytest
from playwright.async_api import Locator, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from db.orders.status import NEXT, OrderStatus
from tests.fixtures.people import Person
from tests.fixtures.visitors import PICTURES, VIEWPORT, Visitor, Welcome

PHONE = {"width": 360, "height": 780}
NOTHING_SCROLLS_SIDEWAYS = "() => document.documentElement.scrollWidth <= window.innerWidth"


async def pictures(visitor: Visitor, name: str) -> None:
    """Of the page as it is, at a desk and on a phone, where nothing may lie beside the screen."""
    await visitor.screenshot(PICTURES, name)
    await visitor.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await visitor.screenshot(PICTURES, f"{name}-phone")
    assert await visitor.page.evaluate(NOTHING_SCROLLS_SIDEWAYS), name
    await visitor.page.set_viewport_size(VIEWPORT)  # type: ignore[arg-type]


async def choose(form: Locator, label: str, option: str) -> None:
    """Take an option of a select."""
    await form.get_by_role("combobox", name=label).click()
    await form.page.get_by_role("option", name=option, exact=True).click()


async def take_from_the_demo(admin: Visitor, order_id: str) -> None:
    """Move an order once by hand: the demo goes on with orders only while they are as it left them."""
    status = OrderStatus.PENDING
    while (after := NEXT.get(status, OrderStatus.DELIVERED)) is not OrderStatus.DELIVERED:
        answer = await admin.try_to_post(f"/api/v1/orders/{order_id}/status", {"status": after.value})
        if answer.ok:
            return
        status = OrderStatus((await admin.api(f"/api/v1/orders/{order_id}"))["status"])
    pytest.fail("the demo has sent it before anybody could")


async def move_on(admin: Visitor, number: str, reason: str) -> str:
    """Move an order one step from the desk, though the demo moves it, too. Returns what it has become."""
    page = admin.page
    row = page.get_by_test_id("desk-order").filter(has_text=number)
    form = page.get_by_role("form", name=f"Move order {number}")
    await row.get_by_role("button").click()
    await form.get_by_label("Reason").fill(reason)
    await pictures(admin, "desk-move")
    button = form.get_by_role("button", name=re.compile("^(Mark as|Go on from)"))
    for _ in range(6):
        if (await button.inner_text()).startswith("Go on"):
            await button.click()
            continue
        try:
            async with page.expect_response(re.compile(r"/api/v1/orders/[^/]+/status$"), timeout=5_000) as answered:
                await button.click()
        except PlaywrightTimeout:  # somebody was faster than the click: it has said "seen"
            continue
        answer = await answered.value
        if answer.ok:
            status: str = (await answer.json())["status"]
            await expect(page.get_by_text(f"Order {number}: {status}", exact=True)).to_be_visible()
            await expect(form).to_have_count(0)
            return status
        await expect(form.get_by_role("alert")).to_be_visible()
        await expect(button).to_have_text(re.compile("^Go on"))
    pytest.fail("the demo was faster three times")


@pytest.mark.timeout(300)
async def test_a_category_a_product_an_order_and_its_way(welcome: Welcome, admin: Visitor) -> None:
    mark = secrets.token_hex(3)
    category, product = f"Kettles {mark}", f"Copper kettle {mark}"

    # The shelf and what stands on it.
    await admin.go_to("Catalogue")
    await admin.page.get_by_role("link", name="Categories").click()
    await admin.page.get_by_role("button", name="New category").click()
    form = admin.page.get_by_role("form", name="Category")
    await form.get_by_label("Name").fill(category)
    await expect(form.get_by_label("In addresses")).to_have_value(f"kettles-{mark}")
    await form.get_by_role("button", name="Add category").click()
    await expect(admin.page.get_by_test_id("category").filter(has_text=category)).to_be_visible()
    await pictures(admin, "categories")
    await admin.go_to("Catalogue")
    await admin.page.get_by_role("button", name="New product").click()
    form = admin.page.get_by_role("form", name="Product")
    await form.get_by_label("Name").fill(product)
    await form.get_by_label("SKU").fill(f"KET-{mark}")
    await choose(form, "Category", category)
    await form.get_by_label("Price (EUR)").fill("39.50")
    await form.get_by_label("In stock").fill("7")
    await form.get_by_label("Picture").fill("/icon.svg")
    await pictures(admin, "product-form")
    await form.get_by_role("button", name="Add product").click()
    await expect(admin.page.get_by_role("heading", name=product, exact=True)).to_be_visible()
    await pictures(admin, "product")
    address = admin.page.url

    # A customer finds it by its address, and buys it.
    ada = await welcome()
    await ada.register()
    await ada.page.goto(address)
    await expect(ada.page.get_by_text("Only 7 left")).to_be_visible()
    await expect(ada.page.get_by_role("button", name="Edit")).to_have_count(0)
    await ada.page.get_by_role("button", name="Add to cart").click()
    await ada.page.get_by_role("button", name="Cart, 1 item").click()
    await ada.page.get_by_role("form", name="Checkout").get_by_role("button", name="Place order").click()
    await ada.page.wait_for_url("**/orders/*")
    order_id = ada.page.url.rpartition("/")[2]
    await take_from_the_demo(admin, order_id)
    await ada.sees_step("paid")
    order = await ada.api(f"/api/v1/orders/{order_id}")

    # The desk knows whose it is, and moves it; she sees that at once.
    await admin.page.get_by_role("navigation", name="Main").get_by_role("link", name="Order desk").click()
    row = admin.page.get_by_test_id("desk-order").filter(has_text=order["order_number"])
    await expect(row).to_contain_text(ada.name)
    reason = f"Wrapped by hand {mark}"
    status = await move_on(admin, order["order_number"], reason)
    await ada.sees_step(status)
    await expect(ada.page.get_by_text(reason)).to_be_visible()
    await expect(row.get_by_test_id("order-status")).to_have_attribute("data-status", status)
    await pictures(admin, "desk")
    await pictures(ada, "order")
    await admin.page.goto(address)
    await expect(admin.page.get_by_text("Only 6 left")).to_be_visible()

    # Edited and taken out of the catalogue again; its category stays, because her order shows the product.
    await admin.page.get_by_role("button", name="Edit").click()
    await form.get_by_label("In stock").fill("3")
    await form.get_by_role("button", name="Save product").click()
    await expect(admin.page.get_by_text("Only 3 left")).to_be_visible()
    await admin.page.get_by_role("button", name="Remove").click()
    await admin.page.get_by_role("button", name="Remove the product").click()
    await admin.page.wait_for_url("**/catalogue")
    await admin.page.get_by_role("button", name="Low in stock").click()
    await expect(
        admin.page.get_by_role("list", name="Products").or_(admin.page.get_by_text("Nothing matches")).first
    ).to_be_visible()
    await pictures(admin, "catalogue-low")


async def test_people_are_found_given_a_role_and_disabled(welcome: Welcome, admin: Visitor, ada: Person) -> None:
    page = admin.page
    await admin.go_to("People")
    await page.get_by_label("Name or address").fill(ada.email)
    await expect(page.get_by_test_id("account")).to_have_count(1)
    await pictures(admin, "people")
    await page.get_by_role("link", name=ada.name).click()
    roles = page.get_by_role("form", name="Roles")
    await roles.get_by_role("checkbox", name="Analyst").check()
    await roles.get_by_role("button", name="Save roles").click()
    await expect(page.get_by_text(f"The roles of {ada.name} are saved")).to_be_visible()
    await pictures(admin, "person")
    visitor = await welcome()
    await visitor.sign_in(ada.email, ada.password)
    await expect(visitor.page.get_by_role("link", name="Order desk")).to_be_visible()
    await page.get_by_role("button", name="Disable").click()
    await page.get_by_role("button", name="Disable the account").click()
    await expect(page.get_by_role("button", name="Enable")).to_be_visible()
    await visitor.page.wait_for_url("**/login*")


async def test_notifications_have_a_page(welcome: Welcome, admin: Visitor) -> None:
    ada = await welcome()
    await ada.register()
    order = await ada.order_first_product()
    await ada.go_to("Dashboard")  # on the order's own page there is nothing to notify of
    # Whether this cancels it or the demo was faster and sends it: she is notified.
    await admin.try_to_post(f"/api/v1/orders/{order}/status", {"status": "cancelled", "reason": "sold elsewhere"})
    bell = ada.page.get_by_role("button", name=re.compile(r"^Notifications, \d unread$"))  # the demo moves orders, too
    await bell.click()
    await ada.page.get_by_role("link", name="All notifications").click()
    await ada.page.wait_for_url("**/notifications")
    await pictures(ada, "notifications")
    await ada.page.get_by_role("button", name="Unread only").click()
    await ada.page.get_by_role("button", name="Mark all as read").click()
    await expect(ada.page.get_by_text("You have read everything")).to_be_visible()
    await expect(ada.page.get_by_role("button", name="Notifications", exact=True)).to_be_visible()
