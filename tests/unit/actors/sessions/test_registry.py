from actors.links.stream import ClientStream
from actors.sessions.registry import FLOOR_LIFE_MS, Registry, by_stream
from actors.sessions.wire import SessionRecord


def stream(boot="hub", session=1):
    return ClientStream(boot, session, str.encode, 0.0)


def record(client, user="u", session="s", issued_at_ms=0, token_id=""):
    return SessionRecord(client, user, session, "hub", "websocket", 1, issued_at_ms=issued_at_ms, token_id=token_id)


def test_nothing_is_left_of_who_is_gone():
    registry = Registry()
    one, two = stream("one"), stream("two")
    registry.add(one, record("c1"))
    registry.add(two, record("c2"))
    registry.add(one, record("c3", user="v"))
    assert [c.record.client for c in registry.of_user("u")] == ["c1", "c2"]
    registry.remove("two", "c1")
    assert len(registry.users["u"]) == 2, "another process's connection is not this one's to remove"
    registry.forget_boot("one")
    registry.remove("two", "c2")
    assert (registry.users, registry.boots) == ({}, {})


def test_registering_again_replaces():
    registry = Registry()
    registry.add(stream(), record("c", user="before"))
    registry.add(stream(), record("c", user="after"))
    assert list(registry.users) == ["after"]


def test_what_was_not_registered_again_is_forgotten():
    registry = Registry()
    registry.add(stream(session=1), record("stale"))
    registry.add(stream(session=1), record("kept"))
    registry.add(stream(session=2), record("kept"))
    registry.forget_boot("hub", before_session=2)
    assert [c.record.client for c in registry.of_user("u")] == ["kept"]


def test_floors_cover_what_was_issued_before_and_are_dropped_after_an_hour():
    registry = Registry()
    registry.revoke("u", "", 10_000)
    registry.revoke("u", "s9", 10_000)
    assert registry.is_void(record("c", issued_at_ms=9_000))
    assert not registry.is_void(record("c", issued_at_ms=9_500)), "the same second"
    assert not registry.is_void(record("c", user="v", issued_at_ms=1))
    assert registry.is_void(record("c", user="v", session="s9", issued_at_ms=99_999))
    for n in range(100):
        registry.revoke(f"user{n}", "", 10_001 + FLOOR_LIFE_MS)
    assert "u" not in registry.user_floors


def test_items_are_one_per_process():
    registry = Registry()
    one, two = stream("one"), stream("two")
    for target, client in ((one, "a"), (two, "b"), (one, "c")):
        registry.add(target, record(client))
    assert [(s.boot, clients) for s, clients in by_stream(registry.of_user("u"))] == [
        ("one", ["a", "c"]),
        ("two", ["b"]),
    ]


def test_tokens_are_revoked_by_id_and_by_user_and_time():
    registry = Registry()
    for client, user, issued, token in (("a", "u", 100, "t1"), ("b", "u", 200, "t2"), ("c", "v", 100, "t1")):
        registry.add(stream(), record(client, user, "", issued, token))
    assert [c.record.client for c in registry.revoke_tokens("", "t1", 0, 1000)] == ["a", "c"]
    assert [c.record.client for c in registry.revoke_tokens("u", "", 200, 1000)] == ["a"]
    assert registry.is_void(record("x", "u", "", 199, "t9"))
    assert not registry.is_void(record("x", "u", "", 200, "t9"))
    assert registry.is_void(record("x", "u", "", 0)), "a token that does not say when it was issued"
    registry.revoke_tokens("u", "", 150, 1000)
    assert registry.is_void(record("x", "u", "", 199)), "a floor does not sink"
    registry.revoke_tokens("", "t5", 0, 1000 + FLOOR_LIFE_MS)
    assert "t5" in registry.ended_tokens
    assert len(registry.ended_tokens) == 1


def granted(client, channel, user="u", issued_at_ms=100, token_id=""):
    return SessionRecord(
        client, user, "", "hub", "websocket", 1, issued_at_ms=issued_at_ms, token_id=token_id, channel=channel
    )


def test_subscriptions_with_tokens_of_their_own_are_no_connections_and_can_be_revoked():
    registry = Registry()
    registry.add(stream(), record("a", issued_at_ms=100))
    registry.add(stream(), granted("a", "x", token_id="t1"))
    registry.add(stream(), granted("a", "y", token_id="t2"))
    assert [c.record.key for c in registry.of_user("u")] == ["a"]
    assert registry.count("u") == 1
    assert [c.record.key for c in registry.revoke_tokens("", "t1", 0, 1000)] == ["a x"]
    registry.remove("hub", "a x")
    assert [c.record.key for c in registry.revoke_tokens("u", "", 200, 1000, "y")] == ["a y"], "that channel's"
    assert not registry.is_void(granted("b", "z", token_id="t3"))
    assert [c.record.key for c in registry.revoke_tokens("u", "", 200, 1000)] == ["a", "a y"]
    registry.forget_boot("hub")
    assert (registry.users, registry.grants, registry.boots) == ({}, {}, {})


def test_blocks_end_and_are_remembered_for_an_hour():
    registry = Registry()
    registry.block("short", 2_000, 1_000)
    registry.block("long", 10**15, 1_000)
    registry.block("over", 500, 1_000)
    assert [registry.is_blocked(user, 1_500) for user in ("short", "long", "over")] == [True, True, False]
    registry.forget_blocks(2_000)
    assert list(registry.blocked) == ["long"]
    registry.forget_blocks(1_000 + FLOOR_LIFE_MS)
    assert registry.blocked == {}
    registry.block("u", 10**15, 1_000)
    registry.block("u", 0, 1_000)
    assert not registry.is_blocked("u", 1_000)


def test_revocations_that_name_any_moment_are_remembered_for_an_hour():
    registry = Registry()
    for user, before in (("future", 10**15), ("past", 1_000)):
        registry.revoke_tokens(user, "", before, 5 * FLOOR_LIFE_MS)
        registry.revoke_tokens(user, "", before, 5 * FLOOR_LIFE_MS, "news")
    registry.revoke_tokens("later", "", 1_000, 5 * FLOOR_LIFE_MS + 1)
    assert registry.is_void(record("c", user="past", issued_at_ms=999)), "also what is long past"
    for minutes in range(1, 600):
        registry.revoke_tokens(f"user{minutes}", "", 1_000, 5 * FLOOR_LIFE_MS + minutes * 60_000)
        registry.revoke_tokens(f"user{minutes}", "", 1_000, 5 * FLOOR_LIFE_MS + minutes * 60_000, "news")
    assert "future" not in registry.token_floors, "what is far in the future too"
    assert (len(registry.token_floors), len(registry.channel_floors)) == (60, 60)
