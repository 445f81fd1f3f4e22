"""One part as CSV: the server formats, we pass bytes on."""

from pathlib import Path
from uuid import UUID

from tasks.context import JobCancelled
from tasks.exports.files import HashedFile
from tasks.exports.progress import Counter
from tasks.exports.snapshot import connect


async def write_part(dsn: str, export_id: UUID, snapshot: str, query: str, path: Path, counter: Counter) -> HashedFile:
    """Write one part from an imported snapshot. Raises JobCancelled when `counter.stop` is set."""
    connection = await connect(dsn, export_id, "csv")
    before = counter.rows
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            with HashedFile(path) as file:

                async def sink(data: bytes) -> None:
                    if counter.stop:
                        raise JobCancelled
                    file.write(data)
                    counter.rows += data.count(b"\n")  # near enough while it runs: text may hold line breaks

                status: str = await connection.copy_from_query(query, output=sink, format="csv", header=True)
                counter.rows = before + int(status.split()[-1])
                file.keep()
                return file
    finally:
        connection.terminate()
