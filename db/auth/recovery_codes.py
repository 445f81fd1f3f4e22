"""Recovery codes: ten ways in without the authenticator app, each once. Stored as hashes, and those encrypted."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth import credentials
from db.auth.models import RecoveryCode
from db.auth.sealing import Sealer

COUNT: Final = 10
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no letter that is taken for a digit."""

_GROUPS, _GROUP = 3, 4
"""Twelve characters are 60 bits. That is few for a plain hash, so the hash is sealed: a stolen table says nothing."""

_MISREAD = str.maketrans("OIL", "011")


def normalised(code: str) -> str:
    """A code as it was made, however it was typed."""
    return "".join(letter for letter in code.upper().translate(_MISREAD) if letter in _ALPHABET)


async def replace(session: AsyncSession, sealer: Sealer, user_id: UUID) -> Sequence[str]:
    """Make new codes; the old ones are void. Returns the only copy, as people read them: `7QX4-M2KD-9RTA`."""
    await remove(session, user_id)
    codes = ["-".join(_group() for _ in range(_GROUPS)) for _ in range(COUNT)]
    for code in codes:
        session.add(
            RecoveryCode(user_id=user_id, code_hash=_seal(sealer, user_id, credentials.sha256(normalised(code))))
        )
    await session.flush()
    return codes


async def use(session: AsyncSession, sealer: Sealer, user_id: UUID, code: str) -> bool:
    """Spend a code. False: there is no such code (any more). The caller holds the lock of the user's second factor."""
    digest = credentials.sha256(normalised(code))
    unused = select(RecoveryCode).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    found = None
    for row in (await session.scalars(unused)).all():
        if hmac.compare_digest(_open(sealer, user_id, row.code_hash), digest):
            found = row
    if found is None:
        return False
    found.used_at = func.now()
    await session.flush()
    return True


async def count_left(session: AsyncSession, user_id: UUID) -> int:
    """How many are unused."""
    count = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return int(await session.scalar(count) or 0)


async def remove(session: AsyncSession, user_id: UUID) -> None:
    """Delete all of a user's."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def reseal(row: RecoveryCode, sealer: Sealer) -> None:
    """Seal it under the newest key. Raises SealingUnavailable when its own is not configured."""
    row.code_hash = _seal(sealer, row.user_id, _open(sealer, row.user_id, row.code_hash))


def _group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP))


def _context(user_id: UUID) -> str:
    return f"recovery code of {user_id}"


def _seal(sealer: Sealer, user_id: UUID, digest: bytes) -> str:
    return base64.b64encode(sealer.seal(digest, _context(user_id))).decode()


def _open(sealer: Sealer, user_id: UUID, stored: str) -> bytes:
    return sealer.open(base64.b64decode(stored), _context(user_id))
