import json

import pytest
from centrifuge.fossil import apply_delta

from actors.brokers.contract import Publication
from actors.protocol.frames import Publication as Message
from serve_app.realtime import deltas
from serve_app.realtime.deltas import Patches, delta_message, patch_between, recovered_messages

TEXTS = [
    json.dumps({"матч": "Спартак – Зенит", "минута": minute, "счёт": [0, 0], "😀": "👍🏽" * 5}, ensure_ascii=False)
    for minute in range(4)
]


def publications(*texts: str, delta: bool = True) -> list[Publication]:
    return [
        Publication(text.encode(), offset=offset, epoch="e", delta=delta) for offset, text in enumerate(texts, start=1)
    ]


def read(messages: list[Message], *, binary: bool) -> list[str]:
    """What a client makes of them."""
    base, texts = b"", []
    for message in messages:
        raw = bytes(message.data)
        content = raw if binary else json.loads(raw).encode()
        base = apply_delta(base, content) if message.delta else content
        texts.append(base.decode())
    return texts


@pytest.mark.parametrize("binary", [False, True])
def test_recovered_publications_are_a_chain_that_begins_whole(binary: bool) -> None:
    messages = recovered_messages("c", publications(*TEXTS), Patches(), binary=binary)
    assert [message.delta for message in messages] == [False, True, True, True]
    assert read(messages, binary=binary) == TEXTS
    assert recovered_messages("c", [], Patches(), binary=binary) == []


def test_what_is_not_meant_for_a_subscriber_breaks_its_chain() -> None:
    patches = Patches()
    stream = publications(*TEXTS)
    recovered_messages("c", stream, patches, binary=False)
    messages = recovered_messages("c", stream, patches, lambda each: each.offset != 2, binary=False)
    assert [(message.offset, message.delta) for message in messages] == [(1, False), (3, False), (4, True)]
    assert read(messages, binary=False) == [TEXTS[0], *TEXTS[2:]]


def test_a_text_client_reads_a_string_in_all_cases() -> None:
    whole, patch = publications(*TEXTS[:2])
    assert json.loads(bytes(delta_message(whole, None, binary=False).data)) == TEXTS[0]
    change = patch_between(whole, patch)
    assert isinstance(json.loads(bytes(delta_message(patch, change, binary=False).data)), str)


def test_without_the_publishers_flag_or_gain_it_is_sent_whole() -> None:
    before, after = publications(*TEXTS[:2], delta=False)
    assert patch_between(before, after) is None
    before, after = publications("[1]", '"x"')
    assert patch_between(before, after) is None
    assert patch_between(*publications(TEXTS[0], TEXTS[0])) is not None


def test_a_patch_is_made_once_while_it_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    def create(_origin: bytes, target: bytes) -> bytes:
        made.append(target)
        return b"patch"

    monkeypatch.setattr(deltas, "create_delta", create)
    patches = Patches(limit=2)
    stream = publications(*TEXTS)
    for _ in range(3):
        assert patches.between("c", stream[0], stream[1]) == b"patch"
    patches.between("d", stream[0], stream[1])
    assert len(made) == 2
    patches.between("c", stream[1], stream[2])
    patches.between("c", stream[0], stream[1])
    assert len(made) == 4
    patches.between("c", stream[0], stream[3])
    patches.between("c", stream[0], stream[3])
    assert len(made) == 6, "a jump in the stream is nobody else's"


def test_a_replaced_publication_gets_patches_of_its_own() -> None:
    patches = Patches()
    recovered_messages("c", publications(*TEXTS), patches, binary=True)
    replaced = [TEXTS[0], json.dumps({"gone": True, "минута": 1}), *TEXTS[2:]]
    messages = recovered_messages("c", publications(*replaced), patches, binary=True)
    assert read(messages, binary=True) == replaced
