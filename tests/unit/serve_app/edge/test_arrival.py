import pytest

from serve_app.edge.arrival import NOWHERE, Arrival


@pytest.mark.parametrize(
    ("headers", "generation"),
    [
        ([(b"x-mobula-edge", b"0badc0ffee00-4711")], "0badc0ffee00-4711"),
        ([], ""),
        ([(b"x-mobula-edge", b"4711")], ""),
        ([(b"x-mobula-edge", b"-1")], ""),
        ([(b"x-mobula-edge", "a-٣".encode())], ""),
        ([(b"x-mobula-edge", b"a-" + b"9" * 400)], ""),
        ([(b"x-mobula-edge", b"a-9\n")], ""),
    ],
)
def test_the_generation_is_what_haproxy_says(headers: list[tuple[bytes, bytes]], generation: str) -> None:
    arrival = Arrival.of({"type": "websocket", "client": ("203.0.113.7", 1), "headers": headers})
    assert arrival == ("203.0.113.7", generation)


def test_sockets_of_one_generation_share_its_name() -> None:
    scope = {"type": "websocket", "client": None, "headers": [(b"x-mobula-edge", b"0badc0ffee00-4711")]}
    assert Arrival.of(scope).generation is Arrival.of(scope).generation


def test_a_server_without_peers_names_nobody() -> None:
    assert Arrival.of({"type": "websocket", "client": None, "headers": []}) == NOWHERE
