from hypothesis import given
from hypothesis import strategies as st

from actors.caches.store import ENTRY_OVERHEAD, BoundedStore


def test_entries_end_with_their_time() -> None:
    store: BoundedStore[str] = BoundedStore(10_000)
    store.put("a", "value", expires=10, tags=(), size=5)
    entry = store.get("a", 9.9)
    assert entry is not None
    assert entry.value == "value"
    assert store.get("a", 10) is None
    assert store.bytes == 0


def test_tags_forget_what_was_made_from_them() -> None:
    store: BoundedStore[int] = BoundedStore(10_000)
    store.put("list", 1, expires=10, tags=("products", "category:1"), size=1)
    store.put("item", 2, expires=10, tags=("product:7",), size=1)
    store.invalidate((), ("products",))
    assert store.get("list", 0) is None
    assert store.get("item", 0) is not None
    store.invalidate(("item",), ())
    assert store.get("item", 0) is None


def test_a_replaced_value_leaves_no_tag_behind() -> None:
    store: BoundedStore[int] = BoundedStore(10_000)
    store.put("a", 1, expires=10, tags=("old",), size=1)
    store.put("a", 2, expires=10, tags=("new",), size=1)
    store.invalidate((), ("old",))
    entry = store.get("a", 0)
    assert entry is not None
    assert entry.value == 2


def test_the_least_recently_used_leaves_first() -> None:
    store: BoundedStore[int] = BoundedStore(3 * (ENTRY_OVERHEAD + 100))
    for name in ("a", "b", "c"):
        store.put(name, 1, expires=10, tags=(), size=100)
    store.get("a", 0)
    store.put("d", 1, expires=10, tags=(), size=100)
    assert [name for name in "abcd" if store.get(name, 0)] == ["a", "c", "d"]


def test_what_is_larger_than_the_store_is_not_kept() -> None:
    store: BoundedStore[int] = BoundedStore(1_000)
    store.put("small", 1, expires=10, tags=(), size=10)
    store.put("large", 1, expires=10, tags=(), size=2_000)
    assert store.get("large", 0) is None
    assert store.get("small", 0) is not None


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sets(st.sampled_from("xyz")), st.integers(0, 900)), max_size=40)
)
def test_the_bound_holds_and_bytes_add_up(puts: list[tuple[str, set[str], int]]) -> None:
    store: BoundedStore[int] = BoundedStore(2_000)
    for key, tags, size in puts:
        store.put(key, size, expires=10, tags=tuple(tags), size=size)
        assert store.bytes <= 2_000
    kept = [entry for key in "abcdef" if (entry := store.get(key, 0))]
    assert store.bytes == sum(entry.size for entry in kept)
    store.invalidate((), "xyz")
    store.invalidate("abcdef", ())
    assert (len(store), store.bytes) == (0, 0)
