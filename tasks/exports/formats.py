"""The writer of each format."""

import asyncio
from pathlib import Path

from tasks.exports import arrow, parquet, text
from tasks.exports.files import HashedFile
from tasks.exports.progress import Counter
from tasks.exports.snapshot import Part


async def write_part(format: str, part: Part, path: Path, counter: Counter) -> HashedFile:
    """Write one part as `format`. Raises JobCancelled when `counter.stop` is set."""
    match format:
        case "parquet":
            return await asyncio.to_thread(parquet.write_part, part, path, counter)
        case "arrow":
            return await asyncio.to_thread(arrow.write_part, part, path, counter)
        case "csv":
            return await text.write_csv(part, path, counter)
        case "ndjson":
            return await text.write_ndjson(part, path, counter)
        case _:
            raise ValueError(f"no writer of {format!r}")
