"""The generated reference pages: they hold the facts, the committed ones are fresh, and stale ones are noticed."""

import subprocess
import sys
from pathlib import Path

import pytest

from actors.protocol import codes
from actors.protocol.namespaces import option_names
from serve_app import reference

ROOT = Path(__file__).resolve().parents[3]


def test_committed_pages_are_fresh() -> None:
    """In a process of its own: errors that other tests declare would appear in the catalogue."""
    checked = subprocess.run(
        [sys.executable, "-m", "serve_app.reference", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_codes_page_names_every_code() -> None:
    page = reference.render_codes()
    for code in [*codes.ERRORS, *codes.DISCONNECTS, *codes.UNSUBSCRIBES]:
        assert f"\n| {code} | " in page
    assert "| `out_of_stock` | 409 |" in page


def test_namespaces_page_names_every_option_and_namespace() -> None:
    page = reference.render_namespaces()
    assert all(f"\n| `{option}` | " in page for option in option_names())
    assert "\n### `ledger`\n\n`durable: true`" in page
    assert "`history_ttl: 604800`" in page


def test_no_option_is_without_type_and_meaning() -> None:
    page = reference.render_namespaces()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 70
    assert [row for row in rows if len(row) != 4 or not all(cell.strip(" |") for cell in row)] == []
    assert "| `history_ttl` | duration |" in page
    assert "| `publish_rate` | rate | empty | The same for publishing. |" in page


def test_metrics_page_names_every_metric() -> None:
    page = reference.render_metrics()
    assert "| `http_requests_total` | counter | `method`, `endpoint`, `status` |" in page
    assert "| `active_connections` | gauge |" in page


def test_stale_page_is_noticed_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    assert reference.main(["--check"]) == 1
    assert "is stale" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    (tmp_path / "codes.md").write_text("changed", encoding="utf-8")
    assert reference.main(["--check"]) == 1
    assert "codes.md is stale" in capsys.readouterr().err
