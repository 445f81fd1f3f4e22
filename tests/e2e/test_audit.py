"""The audit trail through the page: an operator finds what was done, by whom, and what became of an account."""

import re

from playwright.async_api import expect

from tests.fixtures.visitors import PICTURES, Visitor, Welcome


async def test_an_operator_finds_what_somebody_did(welcome: Welcome, operator: Visitor) -> None:
    ada = await welcome()
    await ada.register()
    await ada.sign_out()
    await ada.give_password(ada.email, "not her password")
    await expect(ada.page.get_by_role("alert").filter(has_text="wrong")).to_be_visible()
    await ada.sign_in(ada.email, ada.password)

    page = operator.page
    await operator.go_to("Audit")
    await page.get_by_label("By", exact=True).fill(ada.name)
    acts = page.get_by_test_id("audit-entry")
    await expect(acts.filter(has_text="login.succeeded")).not_to_have_count(0)
    await expect(acts.filter(has_not_text=ada.name)).to_have_count(0)
    await operator.screenshot(PICTURES, "audit")
    await acts.get_by_role("button", name="login.succeeded").first.click()
    dialog = page.get_by_role("dialog", name="login.succeeded")
    await expect(dialog).to_contain_text(ada.name)
    await dialog.get_by_role("button", name="All of this action").click()
    await expect(page.get_by_label("Action", exact=True)).to_have_value("login.succeeded")
    await expect(acts.locator("visible=true").first).to_have_attribute("data-action", "login.succeeded")

    # What became of her account, from its making on.
    await page.get_by_role("tab", name="Accounts").click()
    await page.get_by_label("Account", exact=True).fill(ada.email)
    changes = page.get_by_test_id("account-change")
    await changes.last.get_by_role("button", name="Insert").click()
    await expect(page.get_by_role("dialog", name="Insert")).to_contain_text(ada.email)
    await operator.screenshot(PICTURES, "audit-account")


async def test_the_trail_is_turned_over_page_by_page(operator: Visitor) -> None:
    page = operator.page
    await operator.go_to("Audit")
    first = page.get_by_test_id("audit-entry").first
    await expect(first).to_be_visible()
    await page.goto(f"{operator.url}/audit?cursor=forged")
    await page.get_by_role("button", name="Back to the first page").click()
    await expect(page).not_to_have_url(re.compile("cursor"))
    await expect(first).to_be_visible()


async def test_the_page_is_for_those_who_may_read_the_trail(welcome: Welcome) -> None:
    ada = await welcome()
    await ada.register()
    await expect(ada.page.get_by_role("link", name="Audit")).to_have_count(0)
    await ada.page.goto(f"{ada.url}/audit")
    await expect(ada.page.get_by_text("This page is not for you")).to_be_visible()
