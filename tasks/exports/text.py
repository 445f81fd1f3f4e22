"""One part as text: the server formats, we pass bytes on."""

from pathlib import Path

from tasks.context import JobCancelled
from tasks.exports.files import HashedFile
from tasks.exports.progress import Counter
from tasks.exports.snapshot import Part, connect

QUOTE, DELIMITER = "\x01", "\x02"
"""JSON escapes control characters, so a CSV of one column that is delimited and quoted by them is the JSON itself.
COPY's text format would double every backslash."""


async def write_csv(part: Part, path: Path, counter: Counter) -> HashedFile:
    """Write one part as CSV with a header. Raises JobCancelled when `counter.stop` is set."""
    return await _write(part, part.select(for_spreadsheets=True), path, counter, header=True)


async def write_ndjson(part: Part, path: Path, counter: Counter) -> HashedFile:
    """Write one part as a JSON object per line, numbers with every digit. Raises JobCancelled as `write_csv` does."""
    query = f"SELECT row_to_json(r)::text FROM ({part.select()}) AS r"  # noqa: S608 - see `db.exports.datasets`
    return await _write(part, query, path, counter, quote=QUOTE, delimiter=DELIMITER)


async def _write(
    part: Part,
    query: str,
    path: Path,
    counter: Counter,
    *,
    header: bool = False,
    quote: str | None = None,
    delimiter: str | None = None,
) -> HashedFile:
    connection = await connect(part.dsn, part.export_id, "text")
    before = counter.rows
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{part.snapshot}'")
            with HashedFile(path) as file:

                async def sink(data: bytes) -> None:
                    if counter.stop:
                        raise JobCancelled
                    file.write(data)
                    counter.rows += data.count(b"\n")  # near enough while it runs: text may hold line breaks

                status: str = await connection.copy_from_query(
                    query, output=sink, format="csv", header=header, quote=quote, delimiter=delimiter
                )
                counter.rows = before + int(status.split()[-1])
                file.keep()
                return file
    finally:
        connection.terminate()
