"""An operator looks over somebody's shoulder: finds them, reads along, disconnects them and signs them out."""

import re

import pytest
from playwright.async_api import expect

from tests.fixtures.visitors import Visitor, Welcome


async def open_connection_of(operator: Visitor, name: str) -> None:
    """Find the one connection of somebody and open it."""
    page = operator.page
    await page.get_by_role("tab", name="Connections").click()
    await page.get_by_role("searchbox", name="Connections of").fill(name)
    connections = page.get_by_test_id("connection")
    await expect(connections.filter(has_text=name)).to_have_count(1)
    await expect(connections).to_have_count(1)
    await page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.timeout(300)
async def test_an_operator_finds_traces_and_ends_a_connection(welcome: Welcome, operator: Visitor) -> None:
    grace = await welcome()
    await grace.register()
    page = operator.page
    await operator.go_to("Realtime")
    await open_connection_of(operator, grace.name)
    drawer = page.get_by_role("dialog", name="Connection")
    await expect(drawer.get_by_text("json/websocket")).to_be_visible()
    await expect(drawer.get_by_role("region", name="Channels")).to_contain_text("user:#")
    await page.keyboard.press("Escape")
    await expect(drawer).to_be_hidden()

    # A trace of her shows what she is sent, and not the secret in it.
    await page.get_by_role("tab", name="Traces").click()
    form = page.get_by_role("form", name="New trace")
    await form.get_by_label("Called").fill(grace.name)
    await form.get_by_role("button", name="Start trace").click()
    state = page.get_by_test_id("trace-state")
    await expect(state).to_have_attribute("data-state", "live")
    await grace.start_conversation("Secrets", "operator")
    secret = (await grace.post("/api/v1/realtime/token", {}))["token"]
    await grace.say(f"Is this safe? token={secret}")
    trace = page.get_by_role("log", name="Trace")
    await expect(trace.get_by_text(re.compile("^subscribe conversation:"))).to_be_visible()
    message = trace.get_by_test_id("trace-line").filter(has_text="Is this safe?")
    await expect(message).to_have_count(1)
    await expect(message).to_contain_text("publication in conversation:")
    await message.locator("summary").click()
    await expect(message.locator("pre")).to_contain_text("token=[redacted]")
    assert secret not in await trace.inner_text()
    await page.get_by_role("button", name="Stop trace").click()
    await expect(state).to_have_attribute("data-state", "ended")

    # Her connection is ended; the cause is shown, and she is still signed in.
    await open_connection_of(operator, grace.name)
    await drawer.get_by_role("button", name="Disconnect").click()
    await (
        page.get_by_role("dialog", name="Disconnect this connection?").get_by_role("button", name="Disconnect").click()
    )
    await expect(drawer.get_by_test_id("close-code")).to_have_text("3503 force disconnect")
    await expect(grace.page.get_by_test_id("connection-state")).to_have_attribute("data-state", "offline")
    await page.keyboard.press("Escape")
    await page.get_by_role("tab", name="Ended").click()
    ended = page.get_by_test_id("ending").filter(has_text=grace.name).first
    await expect(ended.get_by_test_id("close-code")).to_have_attribute("data-code", "3503")

    # She comes back, and is signed out everywhere.
    await grace.page.goto(f"{grace.url}/dashboard")
    await grace.is_live()
    await open_connection_of(operator, grace.name)
    await drawer.get_by_role("button", name="Sign out everywhere").click()
    await (
        page.get_by_role("dialog", name=f"Sign {grace.name} out everywhere?")
        .get_by_role("button", name="Sign out everywhere")
        .click()
    )
    await grace.page.wait_for_url("**/login*")


async def test_an_operator_sees_what_is_in_force(operator: Visitor) -> None:
    page = operator.page
    await operator.go_to("Realtime")
    await expect(page.get_by_role("list", name="Realtime processes").get_by_role("listitem")).not_to_have_count(0)
    await page.get_by_role("tab", name="Namespaces").click()
    ledger = page.get_by_role("list", name="Namespaces").get_by_role("listitem").filter(has_text="ledger")
    await expect(ledger).to_contain_text("durable")
    await page.get_by_role("tab", name="Shards").click()
    active = page.locator("[data-testid=shard-process][data-state=active]")
    await expect(active.first).to_contain_text(re.compile(r"lease \d\.\d s"))
    await expect(active.first).to_contain_text("of 1,024")
    assert await page.locator("[data-testid=shard-process][data-state=standby]").count() == await active.count()


async def test_the_page_is_for_operators_only(welcome: Welcome) -> None:
    ada = await welcome()
    await ada.register()
    await expect(ada.page.get_by_role("link", name="Realtime")).to_have_count(0)
    await ada.page.goto(f"{ada.url}/realtime")
    await expect(ada.page.get_by_text("This page is not for you")).to_be_visible()
    for path in ("connections", "namespaces", "shards", "traces"):
        answer = await ada.context.request.get(f"{ada.url}/api/v1/realtime/{path}")
        assert answer.status == 403, path
