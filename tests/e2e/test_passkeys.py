"""A passkey from its first day to its last, on an authenticator that Chromium pretends (DevTools protocol)."""

from typing import Any

import pytest
from playwright.async_api import CDPSession, expect

from tests.fixtures.visitors import Visitor, Welcome

BUILT_IN = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}

WITHOUT_AUTOFILL = "without autofill"
UNLESS_NAMED_SO = f"""
const can = PublicKeyCredential.isConditionalMediationAvailable.bind(PublicKeyCredential);
PublicKeyCredential.isConditionalMediationAvailable = async () => window.name !== "{WITHOUT_AUTOFILL}" && can();
"""
"""With a pretended authenticator Chromium takes the first passkey that it would offer below a field, so it signs people
in before they press a button. A window keeps its name when it goes elsewhere."""


class Finger:
    """Whoever sits before the authenticator of a visitor's browser, and touches it when it asks."""

    def __init__(self, devtools: CDPSession, authenticator: str) -> None:
        self._devtools = devtools
        self._which = {"authenticatorId": authenticator}

    @classmethod
    async def of(cls, visitor: Visitor) -> "Finger":
        """Plug an authenticator in."""
        devtools = await visitor.context.new_cdp_session(visitor.page)
        await devtools.send("WebAuthn.enable")
        added = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": BUILT_IN})
        return cls(devtools, added["authenticatorId"])

    async def is_the_owners(self, *, verified: bool) -> None:
        """Whether the authenticator knows it."""
        await self._devtools.send("WebAuthn.setUserVerified", self._which | {"isUserVerified": verified})

    async def keys(self) -> list[Any]:
        """What the authenticator holds."""
        return list((await self._devtools.send("WebAuthn.getCredentials", self._which))["credentials"])


@pytest.mark.timeout(300)
async def test_added_used_and_removed(welcome: Welcome) -> None:
    ada = await welcome()
    page = ada.page
    await page.add_init_script(UNLESS_NAMED_SO)
    await ada.register()
    finger = await Finger.of(ada)

    await page.goto(f"{ada.url}/settings?tab=security")
    await page.get_by_role("button", name="Add a passkey").click()
    dialog = page.get_by_role("dialog", name="Add a passkey")
    await dialog.get_by_label("Current password").fill("not this one")
    await dialog.get_by_role("button", name="Continue").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("not your current password")
    await dialog.get_by_label("Current password").fill(ada.password)
    await dialog.get_by_role("button", name="Continue").click()
    await dialog.get_by_role("textbox", name="Name").fill("my laptop")
    await dialog.get_by_role("button", name="Create passkey").click()
    passkeys = page.get_by_role("list", name="Passkeys").get_by_role("listitem")
    await expect(passkeys).to_have_count(1)
    await expect(passkeys).to_contain_text("never used")
    [key] = await finger.keys()
    assert (key["rpId"], key["userName"], key["isResidentCredential"]) == ("localhost", ada.email, True)

    # Signing in asks for its owner's finger, and for nothing else.
    await page.evaluate("name => { window.name = name }", WITHOUT_AUTOFILL)
    await ada.sign_out()
    button = page.get_by_role("button", name="Sign in with a passkey")
    await finger.is_the_owners(verified=False)
    await button.click()
    await expect(page.get_by_role("form", name="Sign in").get_by_role("alert")).to_contain_text("No passkey was used")
    await finger.is_the_owners(verified=True)
    await button.click()
    await page.wait_for_url("**/dashboard")
    await ada.is_live()
    await page.goto(f"{ada.url}/settings?tab=sessions")
    here = page.get_by_role("list", name="Sessions").get_by_role("listitem").filter(has_text="This device")
    await expect(here).to_contain_text("Passkey")

    # Or it is chosen below the field for the address.
    await page.evaluate("window.name = ''")
    await ada.sign_out()
    await page.wait_for_url("**/dashboard")

    await page.goto(f"{ada.url}/settings?tab=security")
    await expect(passkeys).to_contain_text("last used")
    await page.get_by_role("button", name="Rename my laptop").click()
    await page.get_by_role("dialog", name="Rename").get_by_role("textbox", name="Name").fill("old laptop")
    await page.get_by_role("button", name="Save name").click()
    await page.get_by_role("button", name="Remove old laptop").click()
    dialog = page.get_by_role("dialog", name="Remove old laptop?")
    await dialog.get_by_label("Current password").fill(ada.password)
    await dialog.get_by_role("button", name="Remove passkey").click()
    await expect(passkeys).to_have_count(0)

    # The password is still there.
    await ada.sign_out()
    await ada.sign_in(ada.email, ada.password)
