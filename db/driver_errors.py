"""What the driver reports: as errors of ours, and without the values that it was given.

Values are people's data and secrets (addresses, password hashes, tokens), and an error's text goes to logs, to Sentry,
to spans and to `jobs.errors`, which more people read than may read those.
"""

import re
from typing import Final

from sqlalchemy import exc
from sqlalchemy.engine import ExceptionContext

from db.errors import DatabaseBusy, DatabaseUnavailable, InvalidInput

UNAVAILABLE_SQLSTATES: Final = ("08", "57P01", "57P02", "57P03", "53300", "53400")
"""Connection lost, server stopping or starting, or too many connections."""

EXHAUSTED_SQLSTATES: Final = ("53", "58030")
"""No room on the disk, no memory, a disk that fails: of the server, and over when somebody has seen to it."""

READ_ONLY: Final = "25006"
"""The server takes no changes: a standby, or a primary that was told so. Or our own transaction, which is a bug."""

EXHAUSTED_RETRY_S: Final = 15.0
"""Somebody has to do something first."""

DATA_EXCEPTION: Final = "22"
"""Class of SQLSTATEs for values that Postgres cannot hold: NUL characters, lone surrogates, numbers out of range. The
driver uses it, too, for what it cannot encode."""

BUSY_SQLSTATES: Final = ("40001", "40P01", "55P03", "57014")
"""Serialisation failure, deadlock, lock not available, statement timeout."""

_DETAIL = re.compile(r"\nDETAIL: .*", re.DOTALL)
"""Which row failed, with all its columns, or which key is there already, with its value. asyncpg puts it last but for a
hint, into the text of the error."""

_ARGUMENT = re.compile(r"(invalid input for query argument \$\d+): .*", re.DOTALL)
"""Of asyncpg, with the argument."""


def translate(error: exc.DBAPIError) -> Exception:
    """The DomainError that a driver error amounts to, or the error itself when it is a bug."""
    state = _state(error)
    if state.startswith(DATA_EXCEPTION) and not _is_of_wrong_type(error.orig):
        return InvalidInput("A value cannot be stored.")
    if state == READ_ONLY and error.connection_invalidated:
        return DatabaseUnavailable("The database takes no changes at the moment.", retry_after_s=EXHAUSTED_RETRY_S)
    if error.connection_invalidated or state.startswith(UNAVAILABLE_SQLSTATES):
        return DatabaseUnavailable()
    if state.startswith(EXHAUSTED_SQLSTATES):
        return DatabaseUnavailable(
            "The database has run out of disk or memory for the moment.", retry_after_s=EXHAUSTED_RETRY_S
        )
    if state in BUSY_SQLSTATES:
        return DatabaseBusy()
    return error


def examine(context: ExceptionContext) -> None:
    """Listener of an engine's `handle_error`.

    Takes values out of the error, whatever wraps it. A server that takes no changes is left like a lost one, so that
    the next connection may find the server that does; a transaction that was opened read-only is not, it goes on.
    """
    chain: list[BaseException | None] = [context.sqlalchemy_exception, context.original_exception]
    for error in chain:
        if error is None:
            continue
        error.args = tuple(_without_values(value) if isinstance(value, str) else value for value in error.args)
        if isinstance(getattr(error, "detail", None), str):  # asyncpg's; SQLAlchemy's is a list of notes
            error.detail = None  # type: ignore[attr-defined]
        if error is not context.sqlalchemy_exception:
            chain.append(error.__cause__)
    connection = context.connection
    if _state(context.sqlalchemy_exception) == READ_ONLY and not (
        connection is not None and connection.get_execution_options().get("postgresql_readonly")
    ):
        context.is_disconnect = True


def _without_values(message: str) -> str:
    return _ARGUMENT.sub(r"\1", _DETAIL.sub("", message))


def _state(error: BaseException | None) -> str:
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def _is_of_wrong_type(refusal: BaseException | None) -> bool:
    """Whether the driver was given another type than the column has. It says so as the server says of a wrong value."""
    reason = getattr(refusal, "__cause__", None)
    return isinstance(getattr(reason, "__cause__", None), TypeError)
