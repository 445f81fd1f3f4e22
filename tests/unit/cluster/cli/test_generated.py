import sys
from pathlib import Path

import pytest

from cluster.cli import generated
from cluster.cli.generated import GeneratedFile


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two generators: one prints, one writes to the path that it is given."""
    package = tmp_path / "makers"
    package.mkdir()
    (package / "printer.py").write_text("print('printed')\n")
    (package / "writer.py").write_text("import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('written')\n")
    monkeypatch.setattr(generated, "ROOT", tmp_path)
    monkeypatch.setattr(generated, "settings_files", lambda: {tmp_path / "settings.md": "settings"})
    monkeypatch.setattr(generated, "decision_files", dict)
    paths = [tmp_path / "out" / "a.json", tmp_path / "b.json"]
    monkeypatch.setattr(
        generated,
        "FILES",
        (
            GeneratedFile(paths[0], "makers.printer", prints=True),
            GeneratedFile(paths[1], "makers.writer", prints=False),
        ),
    )
    return [*paths, tmp_path / "settings.md"]


def test_missing_and_changed_files_are_stale_until_written(files: list[Path]) -> None:
    assert sorted(generated.stale()) == sorted(files)
    assert sorted(generated.write_all()) == sorted(files)
    assert generated.stale() == []
    assert files[0].read_text() == "printed\n"
    files[1].write_text("edited by hand")
    assert generated.stale() == [files[1]]
    assert generated.write_all() == [files[1]]


def test_the_module_says_which_and_fails(files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert generated.main() == 1
    assert "a.json is not up to date: ./mobula fix" in capsys.readouterr().out
    generated.write_all()
    assert generated.main() == 0


def test_a_generator_that_fails_is_an_error(tmp_path: Path) -> None:
    import subprocess

    with pytest.raises(subprocess.CalledProcessError):
        GeneratedFile(tmp_path / "x", "no.such.module", prints=True).render()
    assert sys.executable
