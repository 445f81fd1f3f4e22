"""Proving who one is, through the pages and the mail: verify, reset, two-step sign-in by code and by recovery code.

Mail is read as a developer reads it: in the development mailbox, as the operator.
"""

import re

import pytest
from playwright.async_api import expect

from tests.fixtures.second_factor import code_of
from tests.fixtures.visitors import Visitor, Welcome
from tests.fixtures.waiting import eventually

NEW_PASSWORD = "green teapot in the rain"
LINK = re.compile(r"http\S+#mot_[A-Za-z0-9_-]+")


class Postbox:
    """The mail of one address."""

    def __init__(self, operator: Visitor, address: str) -> None:
        self._operator = operator
        self._address = address

    async def link(self, subject: str) -> str:
        """Wait for the newest mail with this subject; its link."""

        async def newest() -> str | None:
            page = await self._operator.api(f"/api/v1/dev/mailbox?to={self._address}")
            for mail in page["items"]:
                if subject in mail["subject"]:
                    return str(mail["id"])
            return None

        mail_id = await eventually(newest, 30.0)
        text = (await self._operator.api(f"/api/v1/dev/mailbox/{mail_id}"))["body_text"]
        found = LINK.search(text)
        assert found is not None, text
        return found[0]


@pytest.mark.timeout(300)
async def test_an_address_is_confirmed_and_a_password_replaced_by_mailed_links(
    welcome: Welcome, operator: Visitor
) -> None:
    ada = await welcome()
    await ada.register()
    postbox = Postbox(operator, ada.email)
    banner = ada.page.get_by_role("region", name="Confirm your address")
    await expect(banner).to_contain_text(ada.email)
    link = await postbox.link("confirm your e-mail address")
    await ada.page.goto(link)
    await expect(ada.page.get_by_text("Your address is confirmed")).to_be_visible()
    await ada.page.get_by_role("link", name="Continue").click()
    await ada.page.wait_for_url("**/dashboard")
    await expect(banner).to_have_count(0)

    # Elsewhere she has forgotten her password. The new one signs her out here, at once.
    elsewhere = await welcome()
    page = elsewhere.page
    await page.goto(f"{elsewhere.url}/login")
    await page.get_by_role("link", name="Forgot your password?").click()
    form = page.get_by_role("form", name="Forgot your password")
    await form.get_by_label("Email").fill(ada.email)
    await form.get_by_role("button", name="Send the link").click()
    await expect(page.get_by_text("Look into your mail")).to_be_visible()
    link = await postbox.link("Choose a new password")
    await page.goto(link)
    form = page.get_by_role("form", name="Choose a new password")
    await form.get_by_label("New password").fill("password1234!")
    await form.get_by_role("button", name="Set the new password").click()
    await expect(form.get_by_label("New password")).to_have_attribute("aria-invalid", "true")
    await form.get_by_label("New password").fill(NEW_PASSWORD)
    await form.get_by_role("button", name="Set the new password").click()
    await expect(page.get_by_text("Your new password is set")).to_be_visible()
    await ada.page.wait_for_url("**/login*")
    await elsewhere.sign_in(ada.email, NEW_PASSWORD)

    # The link was spent, and her old password with it.
    await page.goto("about:blank")
    await page.goto(link)
    await page.get_by_label("New password", exact=True).fill("another teapot altogether")
    await page.get_by_role("button", name="Set the new password").click()
    await expect(page.get_by_text("This link does not work")).to_be_visible()
    await ada.give_password(ada.email, ada.password)
    await expect(ada.page.get_by_role("alert").filter(has_text="wrong")).to_be_visible()


@pytest.mark.timeout(300)
async def test_signing_in_takes_two_steps(welcome: Welcome) -> None:
    grace = await welcome()
    await grace.register()
    page = grace.page
    await page.goto(f"{grace.url}/settings?tab=security")
    await page.get_by_role("button", name="Set up an authenticator app").click()
    await page.get_by_role("form", name="Begin the setup").get_by_label("Current password").fill(grace.password)
    await page.get_by_role("button", name="Continue").click()
    form = page.get_by_role("form", name="Set up the authenticator app")
    image = form.get_by_role("img", name="QR code for your authenticator app")
    await expect(image).to_be_visible()
    assert await image.evaluate("image => image.complete && image.naturalWidth > 0"), "the QR code was not drawn"
    secret = (await form.get_by_test_id("totp-secret").inner_text()).replace(" ", "")
    await form.get_by_label("Code").fill(code_of(secret))
    await form.get_by_role("button", name="Switch on").click()
    codes = page.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    await expect(codes).to_have_count(10)
    recovery = await codes.nth(0).inner_text()
    await page.get_by_role("button", name="I have kept them").click()
    await expect(page.get_by_text("10 recovery codes are left.")).to_be_visible()

    # With a code of the app: the next one, because the present one is spent.
    await grace.sign_out()
    await grace.give_password(grace.email, grace.password)
    form = page.get_by_role("form", name="Confirm it is you")
    await form.get_by_label("Code").fill("000000")
    await form.get_by_role("button", name="Sign in").click()
    await expect(form.get_by_role("alert")).to_contain_text("This code is wrong")
    await form.get_by_label("Code").fill(code_of(secret, steps=1))
    await form.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/dashboard")
    await grace.is_live()

    # With a recovery code, which is spent then.
    await grace.sign_out()
    await grace.give_password(grace.email, grace.password)
    await form.get_by_role("button", name="Use a recovery code").click()
    await form.get_by_label("Recovery code").fill(recovery)
    await form.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/dashboard")
    await page.goto(f"{grace.url}/settings?tab=security")
    await expect(page.get_by_text("9 recovery codes are left.")).to_be_visible()
