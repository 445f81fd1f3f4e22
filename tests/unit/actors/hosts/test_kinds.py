import pytest

from actors.hosts.kinds import KINDS, host_of, placement
from cluster.settings import Settings
from tests.fixtures.imports import loaded_by


@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_every_shard_has_exactly_one_host(hosts):
    settings = Settings(shard_hosts=hosts, broker_shards=3, session_shards=2, cache_shards=1)
    cards = [(kind, shard) for index in range(hosts) for kind, shard, _ in placement(index, settings)]
    assert len(cards) == len(set(cards)) == sum(kind.count(settings) for kind in KINDS.values())
    for index in range(hosts):
        for kind, shard, _ in placement(index, settings):
            assert host_of(kind, shard, settings) == index


def test_shards_are_told_how_many_they_are():
    settings = Settings(shard_hosts=1, broker_shards=3)
    assert [(shard, of) for kind, shard, of in placement(0, settings) if kind == "brokers"] == [(0, 3), (1, 3), (2, 3)]


def test_an_unknown_kind_has_no_host():
    with pytest.raises(KeyError):
        host_of("nonsense", 0, Settings())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_imported(kind):
    loaded = KINDS[kind].load()
    assert callable(loaded.start)
    assert callable(loaded.stop)


def test_the_process_of_all_shards_loads_nothing_of_serve_or_of_data_frames():
    loaded = loaded_by("actors.hosts.handle", *(kind.import_string.partition(":")[0] for kind in KINDS.values()))
    assert "actors.brokers.actor" in loaded
    assert not {"fastapi", "starlette", "uvicorn", "ray.serve", "ray.data", "pyarrow", "pandas", "numpy"} & loaded
    assert not {"sentry_sdk", "serve_app"} & loaded
