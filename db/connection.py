"""Connections beside the pool, for those who own one: plain asyncpg, where a commit is one statement with arrays.

Whoever owns one has promises to keep to others, who wait for its locks or take over from it. So no statement and no
open transaction of it lasts, whatever becomes of its owner.
"""

from typing import Any, Final

import asyncpg

TCP_TIMEOUT_MS: Final = 5_000
"""The server gives a client up that acknowledges nothing for so long."""


async def connect(
    dsn: str, application_name: str, *, statement_timeout_ms: int, answer_limit_s: float
) -> "asyncpg.Connection[Any]":
    """Open a connection. Raises what asyncpg raises, TimeoutError after `answer_limit_s` seconds.

    The server ends a statement, and a transaction in which nothing happens, after `statement_timeout_ms`;
    `answer_limit_s` is our own deadline for each answer, for when server or network do not answer at all.
    """
    return await asyncpg.connect(
        dsn,
        timeout=answer_limit_s,
        command_timeout=answer_limit_s,
        server_settings={
            "application_name": application_name,
            "timezone": "UTC",
            "jit": "off",  # Our statements are short: compiling them costs more than running them.
            "statement_timeout": str(statement_timeout_ms),
            "idle_in_transaction_session_timeout": str(statement_timeout_ms),
            "tcp_user_timeout": str(TCP_TIMEOUT_MS),
        },
    )
