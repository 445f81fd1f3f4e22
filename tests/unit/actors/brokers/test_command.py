"""`./mobula shards`: what it refuses, and what it says."""

import pytest

from actors.brokers import command
from cluster.deploy import DeployError


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
