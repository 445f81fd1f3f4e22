"""Where export files are, and which part of that path anybody may choose: none."""

import re
from pathlib import Path
from uuid import UUID

from cluster.settings import Settings
from db.exports.errors import ExportFileNotFound

MANIFEST = "_manifest.json"
_NAME = re.compile(r"^[a-z0-9_]{1,60}-part-\d{5}-\d{1,20}\.(parquet|arrow|csv|ndjson)$")


def root(settings: Settings) -> Path:
    """The directory of all exports."""
    return (settings.export_dir or settings.mobula_home / "exports").resolve()


def directory(settings: Settings, export_id: UUID) -> Path:
    """The directory of one export."""
    return root(settings) / str(export_id)


def part_name(dataset: str, part: int, lease_no: int, extension: str) -> str:
    """A part's file. The lease number is in it, so an attempt that was given up never overwrites its successor's."""
    return f"{dataset}-part-{part:05d}-{lease_no}.{extension}"


def file_path(settings: Settings, export_id: UUID, name: str) -> Path:
    """The path of a part. Raises ExportFileNotFound for anything that is not a part's name."""
    if not _NAME.match(name):
        raise ExportFileNotFound
    return directory(settings, export_id) / "data" / name
