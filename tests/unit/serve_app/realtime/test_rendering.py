import json
from typing import Any

import pytest
from centrifuge.fossil import apply_delta

from actors.brokers.contract import Publication
from actors.protocol.tags_filter import TagsFilter, parse
from serve_app.realtime import rendering
from serve_app.realtime.deltas import DeltaState
from serve_app.realtime.rendering import Rendering, Variant, addressed
from serve_app.realtime.wire import JSON_MESSAGES, JSON_WEBSOCKET, PROTOBUF_WEBSOCKET


def publication(offset: int, **fields: Any) -> Publication:
    data = json.dumps({"text": "a text that is long enough for a patch to be worth it", "n": offset}).encode()
    return Publication(data, offset=offset, epoch="e", delta=True, **fields)


def rendered(*publications: Publication, base: Publication | None = None) -> Rendering:
    return Rendering("c", 7, publications, {} if base is None else {base.key: base})


def pushes(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line)["push"] for line in data.split(b"\n")] if data else []


def wants(**tags: str) -> TagsFilter:
    ((key, value),) = tags.items()
    return parse(json.dumps({"key": key, "cmp": "eq", "val": value}).encode())


def test_everything_is_encoded_and_framed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Publication] = []

    def message(each: Publication) -> Any:
        made.append(each)
        return original(each)

    original = rendering.publication_message
    monkeypatch.setattr(rendering, "publication_message", message)
    both = rendered(publication(1), publication(2))
    assert both.packed(Variant(JSON_MESSAGES)) is both.packed(Variant(JSON_MESSAGES, join_leave=True))
    assert both.packed(Variant(JSON_WEBSOCKET)) != both.packed(Variant(JSON_MESSAGES))
    assert len(made) == 2
    both.packed(Variant(PROTOBUF_WEBSOCKET))
    assert len(made) == 4


def test_compact_variants_carry_the_number() -> None:
    (push,) = pushes(rendered(publication(1)).packed(Variant(JSON_MESSAGES, compact=True)))
    assert push["id"] == 7
    assert "channel" not in push
    assert addressed("c", 7, compact=False).channel == "c"


def test_equal_filters_share_their_bytes_and_may_leave_nothing() -> None:
    some = rendered(publication(1, tags={"a": "x"}), publication(2, tags={"a": "y"}))
    first = some.packed(Variant(JSON_MESSAGES, tags=wants(a="x")))
    assert [push["pub"]["offset"] for push in pushes(first)] == [1]
    assert some.packed(Variant(JSON_MESSAGES, tags=wants(a="x"))) is first
    assert some.packed(Variant(JSON_MESSAGES, tags=wants(a="z"))) == b""
    all_match = rendered(publication(1, tags={"a": "x"}))
    assert all_match.packed(Variant(JSON_MESSAGES, tags=wants(a="x"))) is all_match.packed(Variant(JSON_MESSAGES))


def test_who_has_the_base_gets_patches_and_who_has_not_begins_whole() -> None:
    base = publication(1)
    three = rendered(publication(2), publication(3), base=base)
    based = [push["pub"] for push in pushes(three.packed(Variant(JSON_MESSAGES, delta=DeltaState.BASED)))]
    fresh = [push["pub"] for push in pushes(three.packed(Variant(JSON_MESSAGES, delta=DeltaState.FRESH)))]
    assert [pub.get("delta", False) for pub in based] == [True, True]
    assert [pub.get("delta", False) for pub in fresh] == [False, True]
    assert based[1] == fresh[1]
    assert apply_delta(base.data, based[0]["data"].encode()) == publication(2).data
    assert fresh[0]["data"].encode() == publication(2).data
    plain = [push["pub"] for push in pushes(three.packed(Variant(JSON_MESSAGES)))]
    assert plain[0]["data"]["n"] == 2


def test_without_a_known_base_everyone_gets_it_whole() -> None:
    (push,) = pushes(rendered(publication(5)).packed(Variant(JSON_MESSAGES, delta=DeltaState.BASED)))
    assert "delta" not in push["pub"]


def test_changes_of_a_map_are_patches_of_what_they_replace() -> None:
    some = rendered(
        publication(2, key="a", before=publication(1).data),
        publication(3, key="b"),
        Publication(b"", offset=4, epoch="e", key="a", removed=True),
        base=publication(1),
    )
    pubs = [push["pub"] for push in pushes(some.packed(Variant(JSON_MESSAGES, delta=DeltaState.BASED)))]
    assert [pub.get("delta", False) for pub in pubs] == [True, False, False]
    assert "n" in json.loads(pubs[1]["data"])
    assert "data" not in pubs[2]
    assert pubs[2]["removed"]
