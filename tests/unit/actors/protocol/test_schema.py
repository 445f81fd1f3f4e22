import json
from pathlib import Path

import pytest

from actors.protocol.schema import SCHEMA_FILE, main, rendered, schema


def test_the_committed_schema_is_fresh() -> None:
    assert SCHEMA_FILE.read_text() == rendered(), "run: python -m actors.protocol.schema"


def test_the_schema_covers_both_directions() -> None:
    document = schema()
    assert {"Command", "Reply", "Push", "SubscribeRequest"} <= set(document["$defs"])
    assert document["$defs"]["ClientInfo"]["required"] == ["user", "client"]


def test_the_module_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "deep" / "schema.json"
    monkeypatch.setattr("sys.argv", ["schema", str(target)])
    main()
    assert json.loads(target.read_text()) == schema()
