import msgspec

from actors.protocol import frames


def test_only_the_one_empty_value_counts_as_empty() -> None:
    assert frames.raw(b"") is frames.EMPTY
    assert bytes(frames.raw(b"1")) == b"1"
    assert frames.Publication().data is frames.EMPTY
    assert msgspec.json.decode(b"{}", type=frames.Publication).data is frames.EMPTY
