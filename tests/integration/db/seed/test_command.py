"""Seeding a real database."""

import asyncio
import hashlib
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from cluster.stack import external
from db.conversations import service as conversations
from db.orders import service as orders
from db.orders.service import OrderLine
from db.seed.command import SeedReport, demo_accounts_async, seed, seed_async
from db.seed.scales import SCALES
from db.session import Database
from db.users import service as users
from tests.fixtures.transactions import in_transaction, rows, value

UNTIL = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TABLES = (
    "auth.users",
    "app.products",
    "app.orders",
    "app.order_items",
    "app.messages",
    "app.conversation_participants",
)


async def run(url: str, *, fresh: bool = False) -> SeedReport:
    return await seed_async(url, "small", lambda: "demo-hash", fresh=fresh, until=UNTIL)


async def fingerprint(database: Database) -> dict[str, str]:
    found = {}
    for table in TABLES:
        # Columns that name rows of a role or of the trigger differ between databases; none of these tables has any.
        text = await value(database, f"SELECT string_agg(t::text, '|' ORDER BY t::text) FROM {table} t")
        found[table] = hashlib.sha256(text.encode()).hexdigest()
    return found


async def test_a_small_seed_is_complete_and_consistent(database: Database, database_url: str) -> None:
    report = await run(database_url)
    scale = SCALES["small"]
    assert report.seeded
    assert (report.counts["auth.users"], report.counts["app.products"], report.counts["app.orders"]) == (
        scale.users, scale.products, scale.orders,
    )  # fmt: skip
    assert "600 orders" in report.summary
    wrong_totals = await rows(
        database,
        "SELECT o.id FROM app.orders o JOIN app.order_items i ON i.order_id = o.id GROUP BY o.id "
        "HAVING o.total_amount <> sum(i.line_total) OR o.item_count <> count(*)",
    )
    wrong_ends = await rows(
        database,
        "SELECT o.id FROM app.orders o WHERE o.status <> (SELECT h.status FROM app.order_status_history h "
        "WHERE h.order_id = o.id ORDER BY h.at DESC LIMIT 1)",
    )
    wrong_counts = await rows(
        database,
        "SELECT c.id FROM app.conversations c WHERE c.message_count <> "
        "(SELECT count(*) FROM app.messages m WHERE m.conversation_id = c.id)",
    )
    assert (wrong_totals, wrong_ends, wrong_counts) == ([], [], [])
    assert await value(database, "SELECT max(created_at) < :until FROM app.orders", until=UNTIL) is True
    assert await value(database, "SELECT count(*) FROM app.domain_events") == 0, "nobody is mailed"
    assert await value(database, "SELECT count(*) FROM jobs.jobs") == 0


async def test_only_the_demo_accounts_can_sign_in_and_the_lobby_is_open(database: Database, database_url: str) -> None:
    report = await run(database_url)
    can = await rows(database, "SELECT email FROM auth.users WHERE password_hash = 'demo-hash' ORDER BY email")
    assert [row[0] for row in can] == sorted(report.demo_emails)
    assert await value(database, "SELECT count(*) FROM auth.users WHERE password_hash NOT IN ('demo-hash', '!')") == 0
    ada = (await in_transaction(database, lambda s: users.search_directory(s, "ada")))[0]
    talks = await in_transaction(database, lambda s: conversations.list_conversations(s, ada.id))
    assert "Lobby" in {view.conversation.title for view in talks.items if view.conversation.is_public}
    assert (await in_transaction(database, lambda s: orders.list_orders(s, user_id=ada.id))).total >= 5


async def test_life_goes_on_after_a_seed(database: Database, database_url: str) -> None:
    await run(database_url)
    ada = (await in_transaction(database, lambda s: users.search_directory(s, "ada")))[0]
    product_id = await value(database, "SELECT id FROM app.products WHERE stock > 0 LIMIT 1")
    placed = await in_transaction(
        database, lambda s: orders.place_order(s, user_id=ada.id, lines=[OrderLine(product_id, 1)])
    )
    assert placed.number == 100_001 + SCALES["small"].orders
    lobby = await value(database, "SELECT id FROM app.conversations WHERE title = 'Lobby'")
    message = await in_transaction(
        database, lambda s: conversations.post_message(s, lobby, author_id=ada.id, body="hi")
    )
    assert message.number == 41


async def test_a_second_seed_changes_nothing_and_a_fresh_one_makes_the_same_again(
    database: Database, database_url: str
) -> None:
    await run(database_url)
    first = await fingerprint(database)
    again = await run(database_url)
    assert (again.seeded, again.counts) == (False, {})
    assert "nothing was changed" in again.summary
    assert await fingerprint(database) == first
    assert (await run(database_url, fresh=True)).seeded
    assert await fingerprint(database) == first


async def test_the_hash_is_asked_for_only_when_it_is_needed(database_url: str) -> None:
    await run(database_url)
    assert not (await seed_async(database_url, "small", lambda: pytest.fail("not needed"))).seeded


async def test_a_seed_that_fails_leaves_nothing(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: object) -> None:
        raise ConnectionError

    monkeypatch.setattr("db.seed.writer.Writer._write_conversations", fail)
    with pytest.raises(ConnectionError):
        await run(database_url)
    assert await value(database, "SELECT count(*) FROM auth.users") == 0
    monkeypatch.undo()
    assert (await run(database_url)).seeded


async def test_two_seeds_at_once_make_one(database_url: str) -> None:
    reports = await asyncio.gather(run(database_url), run(database_url))
    assert sorted(report.seeded for report in reports) == [False, True]


async def test_the_command_runs_its_own_loop(database: Database, database_url: str) -> None:
    lines: list[str] = []
    report = await asyncio.to_thread(seed, database_url, "small", lambda: "demo-hash", progress=lines.append)
    assert report.seeded
    assert any("orders" in line for line in lines)
    assert await value(database, "SELECT count(*) FROM app.orders") == SCALES["small"].orders


async def test_demo_accounts_that_can_sign_in_are_found(database: Database, database_url: str) -> None:
    assert await demo_accounts_async(database_url) == []
    assert not await asyncio.to_thread(external.has_demo_accounts, database_url)
    await run(database_url)
    assert "admin@mobula.localhost" in await demo_accounts_async(database_url)
    assert await asyncio.to_thread(external.has_demo_accounts, database_url), "as `up` asks, who does not import us"
    assert len(await demo_accounts_async(database_url)) == 5
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.users SET password_hash = '!' WHERE username = 'admin'"))
        await session.execute(text("UPDATE auth.users SET is_active = false WHERE username = 'operator'"))
        await session.execute(text("UPDATE auth.users SET deleted_at = now() WHERE username = 'analyst'"))
    assert await demo_accounts_async(database_url) == ["ada@mobula.localhost", "lin@mobula.localhost"]
