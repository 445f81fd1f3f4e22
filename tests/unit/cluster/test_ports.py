import resource
import socket
from pathlib import Path

import pytest

from cluster import ports
from cluster.ports import PortError, Ports
from cluster.services import claims
from cluster.services.ports import free_port
from tests.fixtures.claims import claimed_by_another


def choose(file: Path, taken: set[int] | None = None, **arguments: object) -> Ports:
    return ports.choose(file, free=lambda port: port not in (taken or set()), **arguments)  # type: ignore[arg-type]


def test_a_choice_is_recorded_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = choose(file)
    assert (first.http, first.frontend) == (8000, 3000)
    assert choose(file) == first
    assert ports.recorded(file) == first


def test_a_choice_that_is_not_to_be_recorded_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    asked = choose(file, record=False)
    assert ports.recorded(file) is None
    assert choose(file) == asked
    before = file.read_bytes()
    assert choose(file, taken={asked.base}, record=False, http=8010).base != asked.base
    assert file.read_bytes() == before
    ports.keep(file, Ports(8020, 3020, asked.base))
    assert choose(file).http == 8020


def test_two_checkouts_share_no_port_of_their_blocks(tmp_path: Path) -> None:
    first = choose(tmp_path / "one" / "ports.json")
    second = choose(tmp_path / "two" / "ports.json", taken=first.everything, http=8010)
    assert not first.everything & second.everything
    assert second.frontend == 3010


def test_a_block_in_use_is_left_for_the_next(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = choose(file)
    moved = choose(file, taken={first.service("valkey")})
    assert moved.base != first.base
    assert choose(file, taken={moved.service("valkey")}, ours=[moved.service("valkey")]).base == moved.base


def test_no_free_block_is_said(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="no free block"):
        ports.choose(tmp_path / "ports.json", free=lambda _: False)


def test_ranges_of_a_block_do_not_overlap(tmp_path: Path) -> None:
    chosen = choose(tmp_path / "ports.json")
    ranges = [
        set(chosen.services.values()),
        *(set(range(first, last + 1)) for first, last in (chosen.replica_http, chosen.replica_grpc, chosen.workers)),
    ]
    assert sum(len(one) for one in ranges) == len(set().union(*ranges))
    assert set().union(*ranges) <= chosen.everything


def test_a_spoiled_record_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    file.write_text('{"http": "eight"}')
    assert ports.recorded(file) is None
    assert choose(file).http == 8000


def test_a_busy_port_is_named_with_its_holder_and_the_remedy() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortError, match=rf"port {port} \(HTTP\) is taken by .*--port"):
            ports.require_free(port, "HTTP", "--port")
    ports.require_free(port, "HTTP", "--port")


def test_a_start_on_a_full_disk_forgets_no_ports(tmp_path: Path) -> None:
    """The kernel refuses to let a file grow, as a full disk does, after the old content would have been cut off."""
    file = tmp_path / "ports.json"
    before = choose(file, http=8100)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            choose(file, http=8200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ports.recorded(file) == before


def test_two_starts_at_once_share_neither_a_port_nor_a_block(tmp_path: Path) -> None:
    """What the first one has decided for is not yet listening anywhere."""
    file, http, page = tmp_path / "ports.json", free_port(), free_port()
    chosen = choose(file, http=http, frontend=page)
    with claimed_by_another(chosen.base, http):
        with pytest.raises(PortError, match=rf"port {http} .* is taken by another Mobula that is starting.*--port"):
            ports.require_free(http, "HTTP", "--port")
        with pytest.raises(PortError, match=f"port {http} .*--port N"):
            ports.claim(chosen)
        moved = choose(file, frontend=page)
        assert moved.base != chosen.base
    with claims.released():
        ports.claim(moved)
        ports.require_free(http, "HTTP", "--port")
