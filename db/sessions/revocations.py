"""Revocations, read for many connections at once.

The rows are the truth: a session shard that has just restarted knows nothing, and must not let in what was revoked
before (DESIGN §5, 12).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from db.connection import connect

ANSWER_LIMIT_S: Final = 1.0
"""Connecting waits for this answer; beyond it the shard goes by what it knows and asks again later."""

STATEMENT_TIMEOUT_MS: Final = 1_000

_REFUSED: Final = """
SELECT i.n FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[])
    WITH ORDINALITY AS i(user_id, session_id, issued_at_ms, user_name, token_id, scope, n)
LEFT JOIN auth.users u ON u.id = i.user_id
LEFT JOIN auth.sessions s ON s.id = i.session_id
LEFT JOIN auth.token_revocations one ON one.kind = 'token' AND one.subject = i.token_id AND one.expire_at > now()
LEFT JOIN auth.token_revocations old ON old.kind = 'user' AND old.subject = i.user_name AND old.expire_at > now()
LEFT JOIN auth.token_revocations part ON part.kind = 'user' AND part.subject = i.scope AND part.expire_at > now()
LEFT JOIN auth.token_revocations stop ON stop.kind = 'block' AND stop.subject = i.user_name AND stop.expire_at > now()
WHERE NOT u.is_active OR u.deleted_at IS NOT NULL
   OR (i.issued_at_ms > 0 AND i.issued_at_ms + 1000 <= extract(epoch FROM u.tokens_valid_after) * 1000)
   OR one.subject IS NOT NULL OR stop.subject IS NOT NULL
   OR i.issued_at_ms < extract(epoch FROM old.issued_before) * 1000
   OR i.issued_at_ms < extract(epoch FROM part.issued_before) * 1000
   OR s.revoked_at IS NOT NULL OR s.absolute_expires_at <= now()
"""


class RevocationsUnknown(Exception):
    """The database does not answer now."""


class CredentialUnaskable(Exception):
    """One of the credentials has a value that Postgres cannot take, such as a NUL in the text of another issuer."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a connection, or a subscription to `channel`, was let in with.

    Users and sessions of other issuers are no rows of ours, and pass.
    """

    user: str
    session: str
    issued_at_ms: int
    token_id: str = ""
    channel: str = ""


class Revocations:
    """One connection that answers which credentials are void now."""

    def __init__(self, dsn: str, *, application_name: str) -> None:
        self._dsn = dsn
        self._application_name = application_name
        self._connection: Any = None

    async def refused(self, credentials: Sequence[Credential]) -> set[int]:
        """Indexes of the credentials that are void. Calls must not overlap.

        Raises RevocationsUnknown, or CredentialUnaskable: then nothing is known of any of them.
        """
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await self._ask(credentials)
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as reason:
            await self.close()
            raise RevocationsUnknown(repr(reason)) from reason

    async def close(self) -> None:
        """Give the connection up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _ask(self, credentials: Sequence[Credential]) -> set[int]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(
                self._dsn,
                self._application_name,
                statement_timeout_ms=STATEMENT_TIMEOUT_MS,
                answer_limit_s=ANSWER_LIMIT_S,
            )
        try:
            rows = await self._connection.fetch(
                _REFUSED,
                [_uuid(credential.user) for credential in credentials],
                [_uuid(credential.session) for credential in credentials],
                [credential.issued_at_ms for credential in credentials],
                [credential.user for credential in credentials],
                [credential.token_id for credential in credentials],
                [
                    scope(credential.user, credential.channel) if credential.channel else ""
                    for credential in credentials
                ],
            )
        except (asyncpg.DataError, ValueError) as reason:
            # The server's refusal, or the driver's, which is a ValueError.
            raise CredentialUnaskable(repr(reason)) from reason
        return {row[0] - 1 for row in rows}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def scope(user: str, channel: str) -> str:
    """The subject of a user's revocation that is about one channel. No token's user has a line break in its name."""
    return f"{user}\n{channel}"
