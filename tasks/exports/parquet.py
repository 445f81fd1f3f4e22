"""One part as Parquet: COPY BINARY decoded by ADBC into Arrow batches, cast, compressed, written. Runs in a thread."""

# pyarrow ships a marker that it is typed, but no types:
# mypy: disable-error-code="name-defined,attr-defined,no-untyped-call"

from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pyarrow.parquet as pq

from db.exports.datasets import Column, Dataset
from tasks.context import JobCancelled
from tasks.exports.files import HashedFile
from tasks.exports.progress import Counter
from tasks.exports.snapshot import LOCK_TIMEOUT_MS, STATEMENT_TIMEOUT_MS

ROW_GROUP_ROWS = 122_880
"""DuckDB's default: large enough to compress, small enough to be read in parallel and held in memory."""

COMPRESSION = "zstd"
COMPRESSION_LEVEL = 3

TYPES: dict[str, pa.DataType] = {
    "uuid": pa.uuid(),
    "string": pa.string(),
    "int64": pa.int64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def schema_of(dataset: Dataset) -> pa.Schema:
    """The files' schema: from the dataset's declaration, the same for every part and for an empty one."""
    return pa.schema([pa.field(c.name, _type(c), metadata={"description": c.description}) for c in dataset.columns])


def write_part(dsn: str, snapshot: str, query: str, dataset: Dataset, path: Path, counter: Counter) -> HashedFile:
    """Write one part from an imported snapshot. Raises JobCancelled when `counter.stop` is set."""
    schema = schema_of(dataset)
    with HashedFile(path) as file, adbc.connect(dsn, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        # The driver takes the server's: what a session's zone decides would differ from the snapshot's own connection.
        cursor.execute("SET LOCAL timezone = 'UTC'")
        cursor.execute(query)
        with (
            cursor.fetch_record_batch() as batches,
            pq.ParquetWriter(file, schema, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL) as writer,
        ):
            waiting: list[pa.RecordBatch] = []
            rows = 0
            for batch in batches:
                if counter.stop:
                    cursor.adbc_cancel()
                    raise JobCancelled
                waiting.append(cast_batch(batch, schema))
                rows += batch.num_rows
                counter.rows += batch.num_rows
                if rows >= ROW_GROUP_ROWS:
                    writer.write_table(pa.Table.from_batches(waiting, schema), row_group_size=ROW_GROUP_ROWS)
                    waiting, rows = [], 0
            writer.write_table(pa.Table.from_batches(waiting, schema), row_group_size=ROW_GROUP_ROWS)
        connection.rollback()
        file.keep()
        return file


def cast_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with the declared types. ADBC hands numerics over as text, so that no digit is lost."""
    columns = [_cast(batch.column(index), field.type) for index, field in enumerate(schema)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: Any, wanted: pa.DataType) -> Any:
    if column.type == wanted:
        return column
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    return column.cast(wanted)


def _type(column: Column) -> pa.DataType:
    if column.kind == "decimal":
        return pa.decimal128(column.precision, column.scale)
    return TYPES[column.kind]
