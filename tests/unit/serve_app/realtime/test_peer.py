from serve_app.realtime.peer import Peer
from serve_app.realtime.timers import UNSCHEDULED


def test_a_new_peer_has_nothing_to_say_and_no_deadline() -> None:
    peer = Peer(None, None)  # type: ignore[arg-type]
    assert (peer.pending, peer.held, peer.held_bytes, peer.registered) == (None, None, 0, False)
    assert peer.slot == UNSCHEDULED


def test_peers_are_told_apart_by_identity() -> None:
    first, second = Peer(None, None), Peer(None, None)  # type: ignore[arg-type]
    assert len({first: 1, second: 2}) == 2
