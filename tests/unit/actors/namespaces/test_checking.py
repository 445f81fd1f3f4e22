from pathlib import Path

import pytest

from actors.namespaces.checking import main
from actors.protocol.namespaces import Namespaces


def test_a_good_file_has_a_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "n.yaml"
    file.write_text("namespaces: {a: }\n")
    assert main([str(file)]) == 0
    assert capsys.readouterr().out.strip() == Namespaces.load(file).version


def test_mistakes_are_printed_with_their_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "n.yaml"
    file.write_text("namespaces:\n  a:\n    x: 1\n    y: 1\n")
    assert main([str(file)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{file}:3: namespace 'a': unknown option 'x'",
        f"{file}:4: namespace 'a': unknown option 'y'",
    ]
    assert main([str(tmp_path / "absent")]) == 1
    assert "absent" in capsys.readouterr().out
