"""Writes invented rows by COPY, chunk by chunk: memory does not grow with the scale."""

import itertools
import json
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from db.auth.hashing import UNUSABLE
from db.seed.catalogue import SHELVES, invent_products
from db.seed.history import LINES, QUANTITIES, Popularity, invent_steps, invent_times
from db.seed.people import InventedPerson, invent_message, invent_people
from db.seed.scales import Scale

CHUNK = 10_000
"""Orders per COPY: about 60 MB of Python objects."""

LOBBY = "Lobby"

UNREAD = 6
"""So many of the newest notices have not been read."""

TABLES = (
    "auth.users",
    "auth.user_roles",
    "app.categories",
    "app.products",
    "app.orders",
    "app.order_items",
    "app.order_status_history",
    "app.conversations",
    "app.conversation_participants",
    "app.messages",
    "app.notifications",
    "app.events",
)
"""All that a seed writes, in the order of foreign keys."""

Progress = Callable[[str], object]

Rows = list[Sequence[Any]]


class Writer:
    """Fills one empty database inside the caller's transaction."""

    def __init__(
        self, connection: asyncpg.Connection, scale: Scale, until: datetime, password_hash: str, progress: Progress
    ) -> None:
        self._connection, self._scale, self._until = connection, scale, until
        self._password_hash, self._progress = password_hash, progress
        self._rng = random.Random(f"mobula {scale.name}")  # noqa: S311 - repeatable on purpose
        self._people: list[tuple[UUID, InventedPerson]] = []
        self._products: list[tuple[UUID, str, str, Decimal]] = []
        self.counts: dict[str, int] = {}

    async def write(self) -> None:
        """Everything, in the order of foreign keys."""
        await self._write_people()
        await self._write_catalogue()
        await self._write_orders()
        await self._write_conversations()
        await self._write_notifications()
        await self._write_page_views()
        for table in TABLES:
            await self._connection.execute(f"ANALYZE {table}")

    def _id(self, at: datetime) -> UUID:
        """A version 7 UUID of that moment, so that rows of one time lie together in the indexes."""
        milliseconds = int(at.timestamp() * 1000)
        bits = self._rng.getrandbits(74)
        return UUID(int=milliseconds << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0b10 << 62 | (bits & ((1 << 62) - 1)))

    def _moment(self, days: float) -> datetime:
        """Some time in the last `days` days."""
        return self._until - timedelta(days=days * self._rng.random())

    async def _copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        schema, name = table.split(".")
        records = list(rows)
        await self._connection.copy_records_to_table(name, schema_name=schema, columns=columns, records=records)
        self.counts[table] = self.counts.get(table, 0) + len(records)

    async def _write_people(self) -> None:
        roles = {row["name"]: row["id"] for row in await self._connection.fetch("SELECT id, name FROM auth.roles")}
        oldest = self._until - timedelta(days=self._scale.days + 30)
        people = invent_people(self._rng, self._scale.users)
        for chunk in iter(lambda: list(itertools.islice(people, CHUNK)), []):
            made = []
            for person in chunk:
                joined = oldest if person.is_demo else self._moment(self._scale.days)
                made.append((self._id(joined), person, joined))
            await self._copy(
                "auth.users",
                (
                    "id",
                    "email",
                    "username",
                    "full_name",
                    "password_hash",
                    "is_verified",
                    "created_at",
                    "updated_at",
                    "password_changed_at",
                ),
                [
                    (
                        i,
                        p.email,
                        p.username,
                        p.full_name,
                        self._password_hash if p.is_demo else UNUSABLE,
                        True,
                        at,
                        at,
                        at,
                    )
                    for i, p, at in made
                ],
            )
            await self._copy("auth.user_roles", ("user_id", "role_id"), [(i, roles[p.role]) for i, p, _ in made])
            self._people.extend((i, p) for i, p, _ in made)
        self._progress(f"{len(self._people):,} people")

    async def _write_catalogue(self) -> None:
        opened = self._until - timedelta(days=self._scale.days + 30)
        shelves = {shelf.slug: self._id(opened) for shelf in SHELVES}
        await self._copy(
            "app.categories",
            ("id", "slug", "name", "description", "position"),
            [(shelves[s.slug], s.slug, s.name, s.description, index) for index, s in enumerate(SHELVES, start=1)],
        )
        products = invent_products(self._rng, self._scale.products)
        for chunk in iter(lambda: list(itertools.islice(products, CHUNK)), []):
            rows = []
            for product in chunk:
                added = opened + timedelta(days=20 * self._rng.random())
                product_id = self._id(added)
                self._products.append((product_id, product.name, product.sku, product.price))
                rows.append((
                    product_id, shelves[product.shelf.slug], product.sku, product.name, product.description,
                    product.price, product.stock, json.dumps(product.attributes), added, added,
                ))  # fmt: skip
            await self._copy(
                "app.products",
                ("id", "category_id", "sku", "name", "description", "price", "stock", "attributes", "created_at",
                 "updated_at"),
                rows,
            )  # fmt: skip
        self._progress(f"{len(self._products):,} products in {len(SHELVES)} categories")

    async def _write_orders(self) -> None:
        rng = self._rng
        buyers = Popularity(
            [user_id for user_id, person in self._people if person.role == "customer"], rng, exponent=0.5
        )
        goods = Popularity(self._products, rng)
        # The demo customers have something to show, whatever chance brings.
        own = itertools.cycle([user_id for user_id, person in self._people if person.username in ("ada", "lin")])
        every = max(2, self._scale.orders // 40)
        numbered = enumerate(invent_times(rng, self._scale.orders, self._scale.days, self._until), start=100_001)
        for chunk in iter(lambda: list(itertools.islice(numbered, CHUNK)), []):
            orders: Rows = []
            lines: Rows = []
            steps: Rows = []
            for number, placed in chunk:
                buyer = next(own) if number % every == 0 else buyers.choose(rng, 1)[0]
                order_id = self._id(placed)
                total, count = Decimal(0), 0
                for product in dict.fromkeys(goods.choose(rng, rng.choice(LINES))):
                    product_id, name, sku, price = product
                    quantity = rng.choice(QUANTITIES)
                    count += 1
                    total += price * quantity
                    lines.append(
                        (self._id(placed), order_id, count, product_id, name, sku, price, quantity, price * quantity)
                    )
                way = invent_steps(rng, placed, self._until)
                steps.extend(
                    (order_id, step.previous.value if step.previous else None, step.status.value, step.at)
                    for step in way
                )
                orders.append((
                    order_id, number, buyer, way[-1].status.value, total, count, placed, way[-1].at, len(way),
                ))  # fmt: skip
            await self._copy(
                "app.orders",
                ("id", "number", "user_id", "status", "total_amount", "item_count", "created_at", "updated_at",
                 "version"),
                orders,
            )  # fmt: skip
            await self._copy(
                "app.order_items",
                ("id", "order_id", "position", "product_id", "product_name", "sku", "unit_price", "quantity",
                 "line_total"),
                lines,
            )  # fmt: skip
            await self._copy("app.order_status_history", ("order_id", "previous", "status", "at"), steps)
            self._progress(f"{self.counts['app.orders']:,} orders, {self.counts['app.order_items']:,} lines")
        await self._connection.execute(
            "SELECT setval(pg_get_serial_sequence('app.orders', 'number'), (SELECT max(number) FROM app.orders))"
        )

    async def _write_conversations(self) -> None:
        rng = self._rng
        by_name = {person.username: user_id for user_id, person in self._people[:5]}
        everybody = [user_id for user_id, _ in self._people]
        talks: list[tuple[str, bool, list[UUID], int]] = [
            (LOBBY, True, everybody[:24], 40),
            ("", False, [by_name["ada"], by_name["lin"]], 14),
        ]
        rest = self._scale.conversations - len(talks)
        each = max(1, (self._scale.messages - 54) // max(1, rest))
        topics = ("Weekend trip", "Reading circle", "Garden plans", "Board game night", "Dive buddies", "")
        for number in range(rest):
            members = rng.sample(everybody, min(len(everybody), rng.randint(2, 6)))
            if number < 3:
                members = list(dict.fromkeys([by_name["ada"], *members]))
            talks.append((rng.choice(topics), False, members, each))
        conversations: Rows = []
        participants: Rows = []
        messages: Rows = []
        for title, public, members, count in talks:
            started = self._moment(60) - timedelta(days=1)
            talk_id = self._id(started)
            times = sorted(started + (self._until - started) * rng.random() for _ in range(count))
            conversations.append((talk_id, title, public, members[0], count, times[-1], started, times[-1]))
            participants.extend(
                (talk_id, user_id, started, max(0, count - rng.choice((0, 0, 0, 1, 3)))) for user_id in members
            )
            messages.extend(
                (self._id(at), talk_id, index, rng.choice(members), invent_message(rng, index), at)
                for index, at in enumerate(times, start=1)
            )
        await self._copy(
            "app.conversations",
            ("id", "title", "is_public", "created_by", "message_count", "last_message_at", "created_at", "updated_at"),
            conversations,
        )
        await self._copy(
            "app.conversation_participants",
            ("conversation_id", "user_id", "joined_at", "last_read_number"),
            participants,
        )
        await self._copy(
            "app.messages", ("id", "conversation_id", "number", "author_id", "body", "created_at"), messages
        )
        self._progress(f"{len(conversations):,} conversations, {len(messages):,} messages")

    async def _write_notifications(self) -> None:
        """The latest arrivals of the demo customers."""
        demo = [user_id for user_id, person in self._people if person.username in ("ada", "lin")]
        arrived = await self._connection.fetch(
            "SELECT id, number, user_id, updated_at FROM app.orders WHERE user_id = ANY($1) AND status = 'delivered' "
            "ORDER BY updated_at DESC, number LIMIT 12",
            demo,
        )
        rows: Rows = []
        for index, row in enumerate(arrived):
            number, at = f"M-{row['number']}", row["updated_at"]
            about = {"order_id": str(row["id"]), "order_number": number, "status": "delivered"}
            read_at = at if index >= UNREAD else None
            title = f"Order {number} has arrived"
            rows.append((self._id(at), row["user_id"], "order.status", title, json.dumps(about), at, read_at))
        await self._copy("app.notifications", ("id", "user_id", "kind", "title", "data", "created_at", "read_at"), rows)

    async def _write_page_views(self) -> None:
        """Analytics of the current month, which has a partition of its own."""
        rng = self._rng
        first = self._until.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        goods = Popularity(self._products, rng)
        everybody = [user_id for user_id, _ in self._people]
        for start in range(0, self._scale.page_views, CHUNK):
            count = min(CHUNK, self._scale.page_views - start)
            await self._copy(
                "app.events",
                ("event_type", "user_id", "payload", "created_at"),
                [
                    (
                        "product.viewed", rng.choice(everybody), json.dumps({"product_id": str(product[0])}),
                        first + (self._until - first) * rng.random(),
                    )
                    for product in goods.choose(rng, count)
                ],
            )  # fmt: skip
        self._progress(f"{self._scale.page_views:,} page views")
