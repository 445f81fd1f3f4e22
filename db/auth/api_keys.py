"""API keys: scoped, optionally bound to networks, methods and namespaces, shown once, replaced with an overlap."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit
from db.auth import credentials, repository
from db.auth.errors import ApiKeyInvalid, ApiKeyNotFound, ScopeNotHeld
from db.auth.models import ApiKey
from db.auth.networks import is_within
from db.auth.permissions import PERMISSIONS
from db.auth.repository import Identity
from db.errors import InvalidInput

USED_RESOLUTION = timedelta(minutes=1)
"""`last_used_at` is this coarse, so that a busy key does not write on every request."""

MAX_KEYS_PER_USER = 50

MAX_OVERLAP = timedelta(days=30)
"""How long a replaced key may go on beside its successor."""

_METHOD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NAMESPACE = re.compile(r"[a-z][a-z0-9_-]{0,31}")

_LIVE = (ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))


@dataclass(frozen=True, slots=True)
class CreatedApiKey:
    """A new key. `text` is the only copy of its secret."""

    key: ApiKey
    text: str


@dataclass(frozen=True, slots=True)
class ApiKeyIdentity:
    """Whom a key stands for. `identity.permissions` are its scopes, as far as the owner still has them."""

    key: ApiKey
    identity: Identity


async def create_api_key(
    session: AsyncSession,
    user_id: UUID,
    *,
    name: str,
    scopes: Sequence[str],
    expires_in: timedelta | None = None,
    ip_allow_list: Sequence[str] = (),
    methods: Sequence[str] = (),
    namespaces: Sequence[str] = (),
    org_id: UUID | None = None,
) -> CreatedApiKey:
    """Make a key for a user. Raises InvalidInput, ScopeNotHeld.

    `methods` and `namespaces` narrow what it may do through the realtime server API; empty: everything that its scopes
    allow.
    """
    if not name.strip() or len(name) > 80:
        raise InvalidInput("a name of 1 to 80 characters", field="name")
    if unknown := sorted(set(scopes) - PERMISSIONS.keys()):
        raise InvalidInput(f"there is no permission '{unknown[0]}'", field="scopes")
    if missing := sorted(set(scopes) - await repository.permissions_of(session, user_id)):
        raise ScopeNotHeld(details={"scopes": missing})
    networks = [_network(text, index) for index, text in enumerate(ip_allow_list)]
    _require(_METHOD, methods, "methods", "the name of a method, such as publish")
    _require(_NAMESPACE, namespaces, "namespaces", "the name of a namespace, such as room")
    await _require_room(session, user_id)
    made = credentials.new_api_key()
    expires_at: datetime | None = None
    if expires_in is not None:
        expires_at = (await session.execute(select(func.now() + expires_in))).scalar_one()
    key = ApiKey(
        user_id=user_id,
        org_id=org_id,
        name=name.strip(),
        public_id=made.public_id,
        secret_sha256=made.secret_sha256,
        scopes=sorted(set(scopes)),
        ip_allow_list=networks,
        methods=sorted(set(methods)),
        namespaces=sorted(set(namespaces)),
        expires_at=expires_at,
    )
    session.add(key)
    await session.flush()
    await audit.record(
        session,
        "api_key.created",
        subject_type="api_key",
        subject_id=key.id,
        actor_id=user_id,
        details={
            "name": key.name,
            "scopes": key.scopes,
            "methods": key.methods,
            "namespaces": key.namespaces,
        },
    )
    return CreatedApiKey(key, made.text)


async def rotate_api_key(
    session: AsyncSession, user_id: UUID, key_id: UUID, *, overlap: timedelta = timedelta()
) -> CreatedApiKey:
    """Make a key that takes over from another: same name, same rights, and from now on as long a life as the old one's.

    The old one goes on for `overlap` (0 to 30 days) and ends then, or when it would have anyway. Raises ApiKeyNotFound,
    InvalidInput.
    """
    if not timedelta() <= overlap <= MAX_OVERLAP:
        raise InvalidInput(f"an overlap of 0 to {MAX_OVERLAP.days} days", field="overlap")
    found = select(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id, *_LIVE)
    old = (await session.scalars(found.with_for_update())).one_or_none()
    if old is None:
        raise ApiKeyNotFound
    await _require_room(session, user_id)
    made = credentials.new_api_key()
    expires_at: datetime | None = None
    if old.expires_at is not None:
        expires_at = (await session.execute(select(func.now() + (old.expires_at - old.created_at)))).scalar_one()
    key = ApiKey(
        user_id=user_id,
        org_id=old.org_id,
        name=old.name,
        public_id=made.public_id,
        secret_sha256=made.secret_sha256,
        scopes=old.scopes,
        ip_allow_list=old.ip_allow_list,
        methods=old.methods,
        namespaces=old.namespaces,
        expires_at=expires_at,
        replaces=old.id,
    )
    session.add(key)
    await session.flush()
    # NULL does not count: a key without an end gets one.
    ends = (
        update(ApiKey).where(ApiKey.id == old.id).values(expires_at=func.least(ApiKey.expires_at, func.now() + overlap))
    )
    await session.execute(ends.execution_options(synchronize_session="fetch"))
    await audit.record(
        session,
        "api_key.rotated",
        subject_type="api_key",
        subject_id=old.id,
        actor_id=user_id,
        details={"replaced_by": str(key.id), "overlap_s": int(overlap.total_seconds())},
    )
    return CreatedApiKey(key, made.text)


async def list_api_keys(session: AsyncSession, user_id: UUID) -> Sequence[ApiKey]:
    """The user's keys that are not revoked, newest first."""
    rows = await session.scalars(
        select(ApiKey)
        .where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        .order_by(ApiKey.created_at.desc(), ApiKey.id)
    )
    return rows.all()


async def revoke_api_key(session: AsyncSession, user_id: UUID, key_id: UUID, *, actor_id: UUID | None = None) -> None:
    """End a key at once. Raises ApiKeyNotFound."""
    ended = await session.execute(
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(ApiKey.id)
    )
    if ended.first() is None:
        raise ApiKeyNotFound
    await audit.record(
        session, "api_key.revoked", subject_type="api_key", subject_id=key_id, actor_id=actor_id or user_id
    )


async def verify_api_key(session: AsyncSession, text: str, *, ip: str | None = None) -> ApiKeyIdentity:
    """Whom this key stands for now. Raises ApiKeyInvalid, without saying why."""
    parsed = credentials.parse_api_key(text)
    if parsed is None:
        raise ApiKeyInvalid
    public_id, digest = parsed
    key = (await session.scalars(select(ApiKey).where(ApiKey.public_id == public_id, *_LIVE))).one_or_none()
    if key is None or not compare_digest(key.secret_sha256, digest):
        raise ApiKeyInvalid
    if key.ip_allow_list and not is_within(map(ipaddress.ip_network, key.ip_allow_list), ip):
        raise ApiKeyInvalid
    user = await repository.live_user(session, key.user_id)
    if user is None or not user.is_active:
        raise ApiKeyInvalid
    await session.execute(
        update(ApiKey)
        .where(
            ApiKey.id == key.id,
            or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < func.now() - USED_RESOLUTION),
        )
        .values(last_used_at=func.now())
        .execution_options(synchronize_session=False)
    )
    roles = (await repository.roles_of(session, [user.id]))[user.id]
    permissions = await repository.permissions_of(session, user.id) & frozenset(key.scopes)
    return ApiKeyIdentity(key, Identity(user, roles, permissions))


async def _require_room(session: AsyncSession, user_id: UUID) -> None:
    count = select(func.count()).select_from(ApiKey).where(ApiKey.user_id == user_id, *_LIVE)
    if (await session.execute(count)).scalar_one() >= MAX_KEYS_PER_USER:
        raise InvalidInput(f"a user has {MAX_KEYS_PER_USER} keys at most; revoke one first")


def _require(pattern: re.Pattern[str], names: Sequence[str], field: str, what: str) -> None:
    for index, name in enumerate(names):
        if pattern.fullmatch(name) is None:
            raise InvalidInput(what, field=f"{field}.{index}")


def _network(text: str, index: int) -> str:
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError as error:
        raise InvalidInput("an address or a network such as 10.0.0.0/8", field=f"ip_allow_list.{index}") from error
