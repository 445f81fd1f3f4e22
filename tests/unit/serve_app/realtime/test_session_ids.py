import base64

import pytest

from serve_app.realtime.session_ids import SessionIds


def test_every_process_with_the_secret_knows_an_id() -> None:
    minted = SessionIds(b"secret").mint("node")
    assert SessionIds(b"secret").is_ours("node", minted)
    assert not SessionIds(b"secret").is_ours("other node", minted)
    assert not SessionIds(b"other secret").is_ours("node", minted)


def test_ids_are_long_and_never_the_same() -> None:
    ids = SessionIds()
    minted = {ids.mint("node") for _ in range(100)}
    assert len(minted) == 100
    assert {len(one) for one in minted} == {43}
    assert not SessionIds().is_ours("node", minted.pop())


@pytest.mark.parametrize("position", [0, 20, 41])
def test_a_changed_id_is_not_ours(position: int) -> None:
    ids = SessionIds(b"secret")
    minted = ids.mint("node")
    changed = minted[:position] + ("A" if minted[position] != "A" else "B") + minted[position + 1 :]
    assert not ids.is_ours("node", changed)


@pytest.mark.parametrize("made_up", ["", "x", "é", "=" * 44, "\ud800", base64.b64encode(b"\0" * 32).decode(), "A" * 43])
def test_what_was_made_up_is_not_ours(made_up: str) -> None:
    assert not SessionIds(b"secret").is_ours("node", made_up)
    assert not SessionIds(b"secret").is_ours("\ud800", made_up)
