"""One part as Parquet: compressed row groups of bounded size. Runs in a thread."""

# mypy: disable-error-code="name-defined,attr-defined,no-untyped-call"

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.exports.batches import read_batches, schema_of
from tasks.exports.files import HashedFile
from tasks.exports.progress import Counter
from tasks.exports.snapshot import Part

ROW_GROUP_ROWS = 122_880
"""DuckDB's default: large enough to compress, small enough to be read in parallel and held in memory."""

COMPRESSION = "zstd"
COMPRESSION_LEVEL = 3


def write_part(part: Part, path: Path, counter: Counter) -> HashedFile:
    """Write one part from an imported snapshot. Raises JobCancelled when `counter.stop` is set."""
    schema = schema_of(part.dataset)
    with HashedFile(path) as file:
        with (
            read_batches(part, schema, counter) as batches,
            pq.ParquetWriter(file, schema, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL) as writer,
        ):
            waiting: list[pa.RecordBatch] = []
            rows = 0
            for batch in batches:
                waiting.append(batch)
                rows += batch.num_rows
                if rows >= ROW_GROUP_ROWS:
                    writer.write_table(pa.Table.from_batches(waiting, schema), row_group_size=ROW_GROUP_ROWS)
                    waiting, rows = [], 0
            if waiting:
                writer.write_table(pa.Table.from_batches(waiting, schema), row_group_size=ROW_GROUP_ROWS)
        file.keep()
        return file
