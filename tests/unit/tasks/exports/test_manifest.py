"""The manifest says what the files are."""

from datetime import UTC, datetime
from uuid import uuid4

from db.exports.datasets import ORDERS
from db.exports.models import Export
from db.exports.parts import FinishedFile
from tasks.exports.manifest import make_manifest
from tasks.exports.snapshot import Snapshot


def test_names_files_sums_snapshot_and_totals() -> None:
    export = Export(
        id=uuid4(), user_id=uuid4(), dataset="orders", format="csv", filters={"status": "paid"}, scope="own"
    )
    at = datetime(2026, 11, 22, tzinfo=UTC)
    files = [FinishedFile("a", 2, 20, "aa"), FinishedFile("b", 3, 30, "bb")]
    blocks = {"a": (0, 5), "b": (5, 9)}

    def make(where: str) -> dict[str, object]:
        snapshot = Snapshot("00000003-1", "0/1", at, 9, 5, 0.0)
        return make_manifest(export, ORDERS, snapshot, where, files, blocks=blocks, lease_number=7)

    manifest = make("o.status = 'paid'")
    assert (manifest["total_rows"], manifest["total_bytes"], manifest["consistency"]) == (5, 50, "snapshot")
    assert manifest["snapshot"] == {"id": "00000003-1", "lsn": "0/1", "taken_at": at.isoformat()}
    assert manifest["files"] == [
        {"name": "a", "rows": 2, "bytes": 20, "sha256": "aa", "blocks": [0, 5], "lease_number": 7},
        {"name": "b", "rows": 3, "bytes": 30, "sha256": "bb", "blocks": [5, 9], "lease_number": 7},
    ]
    assert {"name": "total_amount", "type": "decimal(12,2)"} in manifest["columns"]  # type: ignore[operator]
    assert make("o.status = 'paid'")["query_sha256"] == manifest["query_sha256"]
    assert make("true")["query_sha256"] != manifest["query_sha256"]
