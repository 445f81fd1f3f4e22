"""The benchmarks by name."""

import pytest

from loadtests import bench
from loadtests.processes import free_port


def test_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["nonsense"])
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize("name", bench.BENCHES)
def test_without_a_stack_it_says_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([name, "--url", f"http://127.0.0.1:{free_port()}"]) == 1
    assert "./mobula up" in capsys.readouterr().err


def test_help_lists_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["--help"])
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in bench.BENCHES)
