"""`./mobula shards`: what it refuses, and what it says."""

import pytest

from actors.brokers import command
from actors.hosts import handle as hosts
from actors.hosts.contract import HostReport
from cluster.deploy import DeployError
from cluster.settings import Settings
from cluster.stack import external
from cluster.stack.budget import budget


async def test_what_is_hosted_is_what_the_hosts_that_answer_say(monkeypatch):
    async def report(index):
        if index == 1:
            raise TimeoutError
        return HostReport("i", 1, 0, active=True, ready={"brokers/0": True, "brokers/3": False, f"jobs/{index}": True})

    monkeypatch.setattr(command, "get_settings", lambda: Settings(_env_file=None, shard_hosts=3))
    monkeypatch.setattr(hosts, "report", report)
    assert await command._hosted() == {0, 3}


@pytest.mark.parametrize("count", ["0", "-1", "257", "many"])
def test_a_number_that_cannot_be_is_refused(count, capsys):
    with pytest.raises(SystemExit) as ending:
        command.main([count])
    assert ending.value.code == 2
    assert "shards" in capsys.readouterr().err


def test_without_a_cluster_it_names_the_remedy(monkeypatch, capsys):
    def refuse(settings):
        raise DeployError("no Ray cluster: run './mobula up' first")

    monkeypatch.setattr(command, "connect", refuse)
    assert command.main(["2"]) == 1
    assert "./mobula up" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "owning", "ends"),
    [("64", 1, 1), ("4", 1, 0), ("64", 65, 0)],
    ids=["too many", "room enough", "fewer than there are"],
)
def test_shards_that_the_database_has_no_connections_for_are_refused(count, owning, ends, monkeypatch, capsys):
    settings = Settings(_env_file=None, database_url="postgresql://u@127.0.0.1:1/d")
    resized = []

    async def run(wanted):
        resized.append(wanted)

    monkeypatch.setattr(command, "connect", lambda settings: None)
    monkeypatch.setattr(command, "get_settings", lambda: settings)
    monkeypatch.setattr(command, "_nodes", lambda: 1)
    monkeypatch.setattr(command, "_run", run)
    monkeypatch.setattr(external, "check_postgres", lambda url: external.ExternalPostgres("18", 200, owning))
    assert command.main([count]) == ends
    assert resized == ([] if ends else [int(count)])
    if ends:
        said = capsys.readouterr().err
        assert f"can open {budget(settings, broker_shards=64).total} connections" in said
        assert "fewer than 64 broker shards" in said
