import pytest

from serve_app.edge.arrival import NOWHERE, Arrival


@pytest.mark.parametrize(
    ("headers", "generation"),
    [
        ([(b"x-mobula-edge", b"4711")], 4711),
        ([], 0),
        ([(b"x-mobula-edge", b"-1")], 0),
        ([(b"x-mobula-edge", "٣".encode())], 0),
        ([(b"x-mobula-edge", b"9" * 400)], 0),
    ],
)
def test_the_generation_is_what_haproxy_says(headers: list[tuple[bytes, bytes]], generation: int) -> None:
    arrival = Arrival.of({"type": "websocket", "client": ("203.0.113.7", 1), "headers": headers})
    assert arrival == ("203.0.113.7", generation)


def test_a_server_without_peers_names_nobody() -> None:
    assert Arrival.of({"type": "websocket", "client": None, "headers": []}) == NOWHERE
