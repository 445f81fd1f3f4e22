"""Where export files are, and which part of that path anybody may choose: none."""

import re
from pathlib import Path
from uuid import UUID

from cluster.settings import Settings
from db.exports.errors import ExportFileNotFound

MANIFEST = "_manifest.json"
OWNER = "_database"
"""In an export's directory: which database knows the export (`db.exports.service.identify_database`)."""

_NAME = re.compile(r"^[a-z0-9_]{1,60}-part-\d{5}-\d{1,20}(-[0-9a-f]{8})?\.(parquet|arrow|csv|ndjson)$")


def root(settings: Settings) -> Path:
    """The directory of all exports."""
    return (settings.export_dir or settings.mobula_home / "exports").resolve()


def directory(settings: Settings, export_id: UUID) -> Path:
    """The directory of one export."""
    return root(settings) / str(export_id)


def part_name(dataset: str, part: int, lease_no: int, run: str, extension: str) -> str:
    """A part's file. Whoever was given up never overwrites its successor's.

    `run` is random, for the export's attempt; the number is that of the writing job's lease, and begins anew with each
    owner of the queue.
    """
    return f"{dataset}-part-{part:05d}-{lease_no}-{run}.{extension}"


def file_path(settings: Settings, export_id: UUID, name: str) -> Path:
    """The path of a part. Raises ExportFileNotFound for anything that is not a part's name."""
    if not _NAME.match(name):
        raise ExportFileNotFound
    return directory(settings, export_id) / "data" / name
