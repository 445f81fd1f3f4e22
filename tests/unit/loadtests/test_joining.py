"""A benchmark that needs the cluster says what is missing."""

import pytest

from loadtests import joining
from loadtests.stack import StackNotReady


@pytest.mark.parametrize("recorded", [False, True])
def test_without_a_stack_it_names_the_remedy(tmp_path, monkeypatch, recorded):
    monkeypatch.setenv("MOBULA_HOME", str(tmp_path))
    if recorded:
        (tmp_path / "state.env").write_text("ENVIRONMENT=development\n")
    with pytest.raises(StackNotReady, match=r"\./mobula up -d"):
        joining.join()
