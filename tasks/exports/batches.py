"""One part as Arrow batches of the declared types: COPY BINARY decoded by ADBC, cast. Runs in a thread."""

# pyarrow ships a marker that it is typed, but no types:
# mypy: disable-error-code="name-defined,attr-defined,no-untyped-call"

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
from adbc_driver_postgresql import StatementOptions

from cluster.services import libpq
from db.exports.datasets import Column, Dataset
from tasks.context import JobCancelled
from tasks.exports.progress import Counter
from tasks.exports.snapshot import LOCK_TIMEOUT_MS, STATEMENT_TIMEOUT_MS, Part, application_name

BATCH_BYTES = 2 << 20
"""What the driver gathers before it hands a batch over. Its own 16 MiB make no export faster, and a process that writes
has that much several times: as it came, cast, and on its way into the file."""

TYPES: dict[str, pa.DataType] = {
    "uuid": pa.uuid(),
    "string": pa.string(),
    "int64": pa.int64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}


def schema_of(dataset: Dataset) -> pa.Schema:
    """The files' schema: from the dataset's declaration, the same for every part and for an empty one."""
    return pa.schema([pa.field(c.name, _type(c), metadata={"description": c.description}) for c in dataset.columns])


@contextmanager
def read_batches(part: Part, schema: pa.Schema, counter: Counter) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows of one part, about `BATCH_BYTES` at a time. They raise JobCancelled when `counter.stop` is set."""
    with adbc.connect(libpq.uri(part.dsn), autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(f"SET TRANSACTION SNAPSHOT '{part.snapshot}'")
        cursor.execute(f"SET LOCAL application_name = '{application_name(part.export_id, 'arrow')}'")
        cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        # The driver takes the server's: what a session's zone decides would differ from the snapshot's own connection.
        cursor.execute("SET LOCAL timezone = 'UTC'")
        cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)})
        cursor.execute(part.select())

        def rows(batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                if counter.stop:
                    cursor.adbc_cancel()
                    raise JobCancelled
                yield cast_batch(batch, schema)
                counter.rows += batch.num_rows

        with cursor.fetch_record_batch() as batches:
            yield rows(batches)
        connection.rollback()


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
