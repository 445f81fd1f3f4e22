import os
import socket

from cluster.services.ports import free_port, is_free, who_listens


def test_a_port_is_taken_while_somebody_listens() -> None:
    port = free_port()
    assert is_free(port)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        assert not is_free(port)
        assert f"pid {os.getpid()}" in who_listens(port)
    assert is_free(port)


def test_nobody_is_named_for_a_port_without_a_listener() -> None:
    assert who_listens(free_port()) == "another process"
