"""What an export consists of. Written last: an export without a manifest does not exist."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from db.exports.datasets import Dataset
from db.exports.models import Export
from db.exports.parts import FinishedFile
from tasks.exports.snapshot import Snapshot

FORMAT_VERSION = 1


def make_manifest(
    export: Export,
    dataset: Dataset,
    snapshot: Snapshot,
    where: str,
    files: Sequence[FinishedFile],
    *,
    blocks: Mapping[str, tuple[int, int]],
    lease_number: int,
) -> dict[str, Any]:
    """The manifest: enough to verify every file, and to say which moment of the database they show."""
    query = dataset.select(where)
    return {
        "manifest_version": FORMAT_VERSION,
        "export_id": str(export.id),
        "dataset": dataset.name,
        "format": export.format,
        "filters": dict(export.filters),
        "scope": export.scope,
        "consistency": "snapshot",
        "snapshot": {"id": snapshot.name, "lsn": snapshot.lsn, "taken_at": snapshot.taken_at.isoformat()},
        "query_sha256": hashlib.sha256(query.encode()).hexdigest(),
        "columns": [
            {"name": c.name, "type": f"decimal({c.precision},{c.scale})" if c.kind == "decimal" else c.kind}
            for c in dataset.columns
        ],
        "files": [
            {
                "name": file.name,
                "rows": file.rows,
                "bytes": file.bytes,
                "sha256": file.sha256,
                "blocks": list(blocks[file.name]),
                "lease_number": lease_number,
            }
            for file in files
        ],
        "total_rows": sum(file.rows for file in files),
        "total_bytes": sum(file.bytes for file in files),
        "written_at": datetime.now(UTC).isoformat(),
    }
