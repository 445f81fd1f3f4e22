"""Fenced group commits against a real Postgres: each failure is made to happen."""

import asyncio

import asyncpg
import pytest

from actors.links.placement import bucket_of
from cluster.services.ports import free_port
from db.streams.errors import AlreadyKnown, Ambiguous, Busy, Fenced, Refused, StaleHead
from db.streams.store import STATEMENT_TIMEOUT_MS, Commit, HeadChange, StreamStore, translated
from tests.fixtures.waiting import eventually

EPOCH = "abcdefgh"


class Owner:
    """A store that knows where the heads are, like a shard does."""

    def __init__(self, url: str, name: str = "one") -> None:
        self.name = name
        self.store = StreamStore(url, owner=name, application_name=f"owner-{name}")
        self.fence = 0
        self.tops: dict[str, int] = {}

    async def take(self, *channels: str, again: bool = False) -> "Owner":
        await self.store.connect()
        buckets = sorted({bucket_of(channel) for channel in channels})
        self.fence, _ = await self.store.take_shard(0, buckets, again=again)
        heads = await self.store.open(
            self.fence, buckets, list(channels), [EPOCH] * len(channels), [3600] * len(channels)
        )
        self.tops = {head.channel: head.top for head in heads}
        return self

    def compose(self, *publications: tuple[str, str], key: str = "") -> Commit:
        commit = Commit()
        heads: dict[str, HeadChange] = {}
        for channel, publication_id in publications:
            head = heads.setdefault(
                channel, HeadChange(channel, EPOCH, self.tops[channel], self.tops[channel], 0, "", 3600)
            )
            head.new += 1
            commit.buckets.add(bucket_of(channel))
            commit.channels.append(channel)
            commit.offsets.append(head.new)
            commit.ids.append(publication_id)
            commit.data.append(publication_id.encode("utf-8", "replace"))
            commit.attributes.append(None)
            commit.times_ms.append(1)
            commit.ttls_s.append(3600)
            if key:
                commit.keys.append((channel, key, EPOCH, head.new))
        commit.heads = list(heads.values())
        return commit

    async def commit(self, *publications: tuple[str, str], key: str = "") -> None:
        commit = self.compose(*publications, key=key)
        await self.store.commit(self.fence, commit)
        for head in commit.heads:
            self.tops[head.channel] = head.new


@pytest.fixture
async def owners(database_url):
    made: list[Owner] = []

    async def make(name: str, *channels: str) -> Owner:
        owner = Owner(database_url, name)
        made.append(owner)
        return await owner.take(*channels)

    yield make
    for owner in made:
        await owner.store.close()


async def rows(connection, channel="ledger:a"):
    found = await connection.fetch(
        'SELECT "offset", publication_id FROM app.stream_publications WHERE channel = $1 ORDER BY 1', channel
    )
    return [tuple(row) for row in found]


async def waits_for_lock(connection, name):
    return await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'", name
    )


async def test_buckets_and_namespaces_are_the_same_in_sql(plain):
    for channel in ("", "room:1", "$room:1", "plain", "$plain", "ключ:я", ":odd", "$:odd", "a:b:c", "orders:u#42"):
        assert await plain.fetchval("SELECT app.bucket_of($1)", channel) == bucket_of(channel)
    names = [await plain.fetchval("SELECT app.namespace_of($1)", c) for c in ("room:1", "$room:1", "x", "$x", ":o")]
    assert names == ["room", "room", "default", "default", "default"]


async def test_a_commit_moves_heads_and_stores_rows(owners, plain):
    owner = await owners("one", "ledger:a", "ledger:b")
    await owner.commit(("ledger:a", "p1"), ("ledger:b", "p2"), ("ledger:a", "p3"))
    await owner.commit(("ledger:a", "p4"))
    assert await rows(plain) == [(1, "p1"), (2, "p3"), (3, "p4")]
    assert await rows(plain, "ledger:b") == [(1, "p2")]
    again = await owners("two", "ledger:a", "ledger:b", "ledger:new")
    assert again.tops == {"ledger:a": 3, "ledger:b": 1, "ledger:new": 0}


async def test_one_publication_id_is_stored_once_and_nothing_of_its_batch(owners, plain):
    owner = await owners("one", "ledger:a", "ledger:b")
    await owner.commit(("ledger:a", "p1"))
    with pytest.raises(AlreadyKnown):
        await owner.commit(("ledger:a", "p2"), ("ledger:a", "p1"))
    assert await rows(plain) == [(1, "p1")]
    await owner.commit(("ledger:b", "p1"))
    assert await owner.store.find(["ledger:a", "ledger:a"], ["p1", "p2"]) == {("ledger:a", "p1"): 1}


async def test_an_idempotency_key_is_used_once_until_it_expires(owners, plain):
    owner = await owners("one", "ledger:a")
    await owner.commit(("ledger:a", "p1"), key="k")
    with pytest.raises(AlreadyKnown):
        await owner.commit(("ledger:a", "p2"), key="k")
    assert await owner.store.find_keys(["ledger:a"], ["k"]) == {("ledger:a", "k"): (1, EPOCH)}
    await plain.execute("UPDATE app.publication_keys SET expires_at = now() - interval '1 second'")
    assert await owner.store.find_keys(["ledger:a"], ["k"]) == {}
    await owner.commit(("ledger:a", "p2"), key="k")
    assert await rows(plain) == [(1, "p1"), (2, "p2")]


async def test_a_head_that_is_elsewhere_stops_the_batch(owners, plain):
    owner = await owners("one", "ledger:a")
    await owner.commit(("ledger:a", "p1"))
    owner.tops["ledger:a"] = 0
    with pytest.raises(StaleHead):
        await owner.commit(("ledger:a", "p2"))
    owner.tops["ledger:a"] = 5
    with pytest.raises(StaleHead):
        await owner.commit(("ledger:a", "p2"))
    assert await rows(plain) == [(1, "p1")]


async def test_after_a_take_over_the_old_owner_writes_nothing(owners, plain):
    zombie = await owners("zombie", "ledger:a")
    await zombie.commit(("ledger:a", "p1"))
    owner = await owners("new", "ledger:a")
    assert owner.fence > zombie.fence
    with pytest.raises(Fenced):
        await zombie.commit(("ledger:a", "p2"))
    with pytest.raises(Fenced):
        await zombie.store.open(zombie.fence, [bucket_of("ledger:a")], ["ledger:x"], [EPOCH], [60])
    with pytest.raises(Fenced):
        await zombie.take("ledger:a", again=True)
    await owner.commit(("ledger:a", "p3"))
    assert await rows(plain) == [(1, "p1"), (2, "p3")]


async def test_the_same_owner_takes_again_and_its_old_fence_is_void(owners):
    owner = await owners("one", "ledger:a")
    old = owner.fence
    await owner.take("ledger:a", again=True)
    commit = owner.compose(("ledger:a", "p1"))
    with pytest.raises(Fenced):
        await owner.store.commit(old, commit)
    await owner.store.commit(owner.fence, commit)


@pytest.mark.parametrize("round_number", range(5))
async def test_take_over_under_a_zombie_that_never_stops_committing(owners, plain, round_number):
    """What the zombie was told is committed is in the heads that the new owner reads; what is not never appears."""
    zombie = await owners("zombie", "ledger:a")
    acknowledged: list[str] = []
    enough = asyncio.Event()

    async def commit_for_ever():
        for n in range(100_000):
            name = f"z{n}"
            await zombie.commit(("ledger:a", name))
            acknowledged.append(name)
            if n == 20 + 7 * round_number:
                enough.set()

    committing = asyncio.create_task(commit_for_ever())
    await enough.wait()
    owner = await owners("new", "ledger:a")
    seen = owner.tops["ledger:a"]
    await owner.commit(("ledger:a", "mine"))
    with pytest.raises(Fenced):
        await committing
    found = await rows(plain)
    assert found[seen] == (seen + 1, "mine")
    assert [name for _, name in found[:seen]] == acknowledged
    assert len(found) == seen + 1


async def test_a_take_over_waits_for_a_commit_that_is_under_way(owners, database_url, plain):
    """The row lock, not the comparison, is the fence: without it both would have believed to own the bucket."""
    zombie = await owners("zombie", "ledger:a")
    holder = plain.transaction()
    await holder.start()
    await plain.execute("SELECT 1 FROM app.stream_heads WHERE channel = 'ledger:a' FOR UPDATE")
    committing = asyncio.create_task(zombie.commit(("ledger:a", "p1")))
    watch = await asyncpg.connect(database_url)
    try:
        await eventually(lambda: waits_for_lock(watch, "owner-zombie"), every_s=0.01)
        owner = Owner(database_url, "new")
        taking = asyncio.create_task(owner.take("ledger:a"))
        await eventually(lambda: waits_for_lock(watch, "owner-new"), every_s=0.01)
        await holder.rollback()
        await committing
        await taking
        assert owner.tops["ledger:a"] == 1, "heads are read after the take-over, so they contain it"
        await owner.store.close()
    finally:
        await watch.close()


async def test_a_cut_off_owner_blocks_nobody_for_longer_than_its_statement_timeout(owners, database_url, plain):
    zombie = await owners("zombie", "ledger:a")
    holder = plain.transaction()
    await holder.start()
    await plain.execute("SELECT 1 FROM app.stream_heads WHERE channel = 'ledger:a' FOR UPDATE")
    started = asyncio.get_running_loop().time()
    with pytest.raises(Busy):
        await zombie.commit(("ledger:a", "p1"))
    assert asyncio.get_running_loop().time() - started < STATEMENT_TIMEOUT_MS / 1000 + 1
    owner = Owner(database_url, "new")
    await owner.store.connect()
    assert (await owner.store.take_shard(0, [bucket_of("ledger:a")], again=False))[0]
    await owner.store.close()
    await holder.rollback()


async def test_both_timeouts_are_set_on_the_owners_connection(owners):
    owner = await owners("one", "ledger:a")
    for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
        [(value,)] = await owner.store.rows("SELECT current_setting($1)", name)
        assert value == "2s"


async def test_a_killed_backend_leaves_the_result_open(owners, plain, database_url):
    owner = await owners("one", "ledger:a")
    holder = plain.transaction()
    await holder.start()
    await plain.execute("SELECT 1 FROM app.stream_heads WHERE channel = 'ledger:a' FOR UPDATE")
    committing = asyncio.create_task(owner.commit(("ledger:a", "p1")))
    watch = await asyncpg.connect(database_url)
    await eventually(lambda: waits_for_lock(watch, "owner-one"), every_s=0.01)
    await watch.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'owner-one'")
    with pytest.raises(Ambiguous):
        await committing
    await holder.rollback()
    await watch.close()
    owner.store.abandon()
    await owner.take("ledger:a", again=True)
    assert owner.tops["ledger:a"] == 0


async def test_an_unreachable_server_is_ambiguous_and_no_connection_is_too():
    store = StreamStore(f"postgresql://nobody@127.0.0.1:{free_port()}/none", owner="x", application_name="x")
    with pytest.raises(Ambiguous):
        await store.connect()
    with pytest.raises(Ambiguous):
        await store.find(["a"], ["b"])


async def test_what_postgres_cannot_store_is_refused(owners):
    owner = await owners("one", "ledger:a")
    with pytest.raises(Refused):
        await owner.commit(("ledger:a", "nul\0"))


async def test_the_meta_ttl_of_a_head_moves_rarely_and_is_never_shorter_than_promised(owners, plain):
    owner = await owners("one", "ledger:a")
    life = "SELECT extract(epoch FROM expires_at - now()) FROM app.stream_heads"
    await owner.commit(("ledger:a", "p1"))
    first = await plain.fetchval("SELECT expires_at FROM app.stream_heads")
    await owner.commit(("ledger:a", "p2"))
    assert await plain.fetchval("SELECT expires_at FROM app.stream_heads") == first
    await plain.execute("UPDATE app.stream_heads SET expires_at = now() + interval '10 minutes'")
    await owner.commit(("ledger:a", "p3"))
    assert await plain.fetchval(life) > 3600


@pytest.mark.parametrize(
    ("error", "as_what"),
    [
        (asyncpg.DiskFullError, Busy),
        (asyncpg.OutOfMemoryError, Busy),
        (asyncpg.PostgresIOError, Busy),
        (asyncpg.ReadOnlySQLTransactionError, Ambiguous),
        (asyncpg.CheckViolationError, Refused),
    ],
)
def test_what_is_the_server_s_fault_is_not_the_publication_s(
    error: type[asyncpg.PostgresError], as_what: type[Exception]
) -> None:
    with pytest.raises(as_what), translated():
        raise error("no")
