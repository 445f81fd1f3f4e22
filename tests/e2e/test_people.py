"""Two people in two browsers use everything once: talk, buy, watch, export. Nothing is reloaded on the way."""

import json
import re
import secrets
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from playwright.async_api import expect

from tests.fixtures.visitors import PATIENCE_MS, Welcome

EXPORT_MS = 90_000
"""A Ray task starts a worker process; on two busy cores that takes its time."""

NAVIGATIONS = "() => performance.getEntriesByType('navigation').map((entry) => entry.name + entry.startTime)"


@pytest.mark.timeout(300)
async def test_two_people_talk_buy_and_export(welcome: Welcome, tmp_path: Path) -> None:
    ada, bob = await welcome(), await welcome()
    await ada.register()
    await bob.register()

    # They talk in one conversation, and see one another.
    title = f"Tea {secrets.token_hex(3)}"
    await ada.start_conversation(title, bob.name)
    await ada.sees_here(ada.name)
    await bob.open_conversation(title)
    await ada.sees_here(ada.name, bob.name)
    await bob.sees_here(ada.name, bob.name)
    await ada.say("Is the kettle on?")
    await bob.reads("Is the kettle on?")
    await bob.say("It is.")
    await ada.reads("Is the kettle on?", "It is.")
    await bob.go_to("Dashboard")
    await ada.sees_here(ada.name)

    # An order changes its status before her eyes.
    order_id = await ada.order_first_product()
    loaded = await ada.page.evaluate(NAVIGATIONS)
    await ada.sees_step("pending")
    await ada.sees_step("paid")
    await ada.sees_step("packed")
    assert await ada.page.evaluate(NAVIGATIONS) == loaded, "the page was loaded again"
    order = await ada.api(f"/api/v1/orders/{order_id}")
    assert [entry["status"] for entry in order["history"]][:3] == ["pending", "paid", "packed"]

    lines = [{"product_id": item["product_id"], "quantity": 1} for item in order["items"]]
    for _ in range(2):
        await ada.post("/api/v1/orders", {"lines": lines})

    # An export shows its progress; its file holds what the API says.
    await ada.go_to("Exports")
    await ada.watch_progress()
    await ada.page.get_by_role("form", name="New export").get_by_role("button", name="Start export").click()
    row = ada.page.get_by_role("list", name="Exports").get_by_test_id("export").first
    await expect(row).to_have_attribute("data-state", "succeeded", timeout=EXPORT_MS)
    assert await ada.seen_progress(), "no progress bar was ever shown"
    button = row.get_by_role("button", name=re.compile(r"^Download .*\.parquet$"))
    async with ada.page.expect_download(timeout=PATIENCE_MS) as downloading:
        await button.click()
    file = tmp_path / "orders.parquet"
    await (await downloading.value).save_as(file)
    table = parquet.read_table(file)
    [export] = (await ada.api("/api/v1/exports"))["items"]
    assert table.num_rows == export["progress"]["total"] == (await ada.api("/api/v1/orders"))["total"] == 3
    assert order_id in {str(value) for value in table.column("order_id").to_pylist()}

    # Nothing that signs her in is where a script can read it.
    stored = await ada.page.evaluate("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
    readable = await ada.page.evaluate("() => document.cookie")
    assert "eyJ" not in stored + readable, json.loads(stored)
    cookies = {cookie["name"]: cookie for cookie in await ada.context.cookies()}
    tokens = [name for name in cookies if name.endswith(("mobula_access", "mobula_refresh"))]
    assert len(tokens) == 2
    assert all(cookies[name]["httpOnly"] for name in tokens)


async def test_signed_out_elsewhere_is_signed_out_here(welcome: Welcome) -> None:
    """Ending a session from another device closes its socket; the page asks to sign in again."""
    here = await welcome()
    await here.register()
    sessions = (await here.api("/api/v1/auth/sessions"))["items"]
    assert len(sessions) == 1
    answer = await here.context.request.delete(
        f"{here.url}/api/v1/auth/sessions/{sessions[0]['id']}",
        headers={"X-Mobula-CSRF": "1", "Origin": here.url},
    )
    assert answer.status == 204
    await here.page.wait_for_url("**/login*")


async def test_a_stranger_is_asked_to_sign_in(welcome: Welcome) -> None:
    stranger = await welcome()
    await stranger.page.goto(f"{stranger.url}/orders")
    await stranger.page.wait_for_url("**/login*")
    await expect(stranger.page.get_by_role("form", name="Sign in")).to_be_visible()
