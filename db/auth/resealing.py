"""After ENCRYPTION_KEY got a new first key: what older keys sealed is sealed again, batch by batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from db.auth import recovery_codes, second_factor
from db.auth.errors import SealingUnavailable
from db.auth.models import RecoveryCode, TotpCredential
from db.auth.sealing import PREFIX_BYTES, Sealer


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """One of the columns that hold sealed values."""

    name: str
    row: type[Any]
    id: InstrumentedAttribute[UUID]
    sealed: ColumnElement[bytes]
    reseal: Callable[[Any, Sealer], None]

    @property
    def prefix(self) -> ColumnElement[bytes]:
        """Of each value: which key sealed it."""
        return func.substring(self.sealed, 1, PREFIX_BYTES)


SEALED: Final = (
    SealedColumn(
        "authenticator apps",
        TotpCredential,
        TotpCredential.user_id,
        TotpCredential.secret_encrypted.expression,
        second_factor.reseal,
    ),
    SealedColumn(
        "recovery codes",
        RecoveryCode,
        RecoveryCode.id,
        func.decode(RecoveryCode.code_hash, "base64"),
        recovery_codes.reseal,
    ),
)
"""All of them: whoever seals something else adds it here, or a key is dropped that it needs."""


class Batch(NamedTuple):
    """What became of one batch; `last`: where the next one begins, None behind the last row."""

    resealed: int
    last: UUID | None


class Stale(NamedTuple):
    """Values that the newest key did not seal; `unreadable` of them were sealed by none that is configured."""

    left: int
    unreadable: int


async def reseal_batch(
    session: AsyncSession, sealer: Sealer, column: SealedColumn, *, after: UUID | None, limit: int
) -> Batch:
    """Seal again what an older key sealed, the next `limit` rows at most.

    Rows that somebody holds, and values that cannot be opened, are passed over: `count_stale` counts them.
    """
    stale = select(column.row).where(column.prefix != sealer.prefix).order_by(column.id).limit(limit)
    if after is not None:
        stale = stale.where(column.id > after)
    rows = (await session.scalars(stale.with_for_update(skip_locked=True))).all()
    resealed = 0
    for row in rows:
        try:
            column.reseal(row, sealer)
        except SealingUnavailable:
            continue
        resealed += 1
    await session.flush()
    return Batch(resealed, getattr(rows[-1], column.id.key) if rows else None)


async def count_stale(session: AsyncSession, sealer: Sealer) -> Stale:
    """How many values still need an older key, whoever holds them."""
    left = unreadable = 0
    for column in SEALED:
        lost = func.count(case((column.prefix.not_in(sealer.prefixes), 1)))
        counted = select(func.count(), lost).select_from(column.row).where(column.prefix != sealer.prefix)
        row = (await session.execute(counted)).one()
        left, unreadable = left + row[0], unreadable + row[1]
    return Stale(left, unreadable)
