"""One part as an Arrow IPC file (Feather V2). Runs in a thread."""

# mypy: disable-error-code="name-defined,attr-defined,no-untyped-call"

from pathlib import Path

import pyarrow as pa

from tasks.exports.batches import read_batches, schema_of
from tasks.exports.files import HashedFile
from tasks.exports.progress import Counter
from tasks.exports.snapshot import Part

COMPRESSION = "lz4"
"""What Feather files have by default: half the size for hardly any time."""


def write_part(part: Part, path: Path, counter: Counter) -> HashedFile:
    """Write one part from an imported snapshot. Raises JobCancelled when `counter.stop` is set."""
    schema = schema_of(part.dataset)
    options = pa.ipc.IpcWriteOptions(compression=COMPRESSION)
    with HashedFile(path) as file:
        with (
            read_batches(part, schema, counter) as batches,
            pa.ipc.new_file(file, schema, options=options) as writer,
        ):
            for batch in batches:
                writer.write_batch(batch)
        file.keep()
        return file
