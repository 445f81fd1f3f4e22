"""Accounts and everything that proves or limits who somebody is."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, ForeignKey, Identity, Index, LargeBinary, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import AUTH, EMPTY_LIST, EMPTY_OBJECT, Base, Identified, Timestamped, Versioned


class Organisation(Identified, Timestamped, Versioned, Base):
    """A tenant. Rows with an `org_id` belong to it; without one they belong to the installation."""

    __tablename__ = "organisations"
    __table_args__ = (
        Index("uq_organisations_slug_live", "slug", unique=True, postgresql_where=text("deleted_at IS NULL")),
        {"schema": AUTH},
    )

    name: Mapped[str] = mapped_column(String(120))
    slug: Mapped[str] = mapped_column(String(60))
    deleted_at: Mapped[datetime | None]


class User(Identified, Timestamped, Versioned, Base):
    """An account. Removed softly: its names become free, its rows stay."""

    __tablename__ = "users"
    __table_args__ = (
        Index(
            "uq_users_email_live", func.lower(text("email")), unique=True, postgresql_where=text("deleted_at IS NULL")
        ),
        Index(
            "uq_users_username_live",
            func.lower(text("username")),
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_users_created_at_id", "created_at", "id"),
        Index("ix_users_metadata", "metadata", postgresql_using="gin"),
        {"schema": AUTH},
    )

    email: Mapped[str] = mapped_column(String(255))
    username: Mapped[str] = mapped_column(String(50))
    password_hash: Mapped[str] = mapped_column(String(255))
    full_name: Mapped[str] = mapped_column(String(120), server_default=text("''"))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    is_verified: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    org_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.organisations.id", ondelete="SET NULL"), index=True)
    tokens_valid_after: Mapped[datetime | None]
    """Access tokens issued before this are refused: set by revoking all sessions."""
    password_changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_login_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    extra: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=EMPTY_OBJECT)
    """Column `metadata`; the attribute has another name because SQLAlchemy owns that one."""


class Membership(Base):
    """A user's place in an organisation."""

    __tablename__ = "memberships"
    __table_args__ = ({"schema": AUTH},)

    org_id: Mapped[UUID] = mapped_column(ForeignKey("auth.organisations.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role_id: Mapped[UUID] = mapped_column(ForeignKey("auth.roles.id", ondelete="RESTRICT"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Role(Identified, Base):
    """A named set of permissions."""

    __tablename__ = "roles"
    __table_args__ = ({"schema": AUTH},)

    name: Mapped[str] = mapped_column(String(50), unique=True)
    description: Mapped[str] = mapped_column(server_default=text("''"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Permission(Base):
    """A thing that may be allowed, `slice:verb`. The vocabulary is `db.auth.permissions`."""

    __tablename__ = "permissions"
    __table_args__ = ({"schema": AUTH},)

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    description: Mapped[str] = mapped_column(server_default=text("''"))


class RolePermission(Base):
    """What a role allows."""

    __tablename__ = "role_permissions"
    __table_args__ = ({"schema": AUTH},)

    role_id: Mapped[UUID] = mapped_column(ForeignKey("auth.roles.id", ondelete="CASCADE"), primary_key=True)
    permission: Mapped[str] = mapped_column(
        ForeignKey("auth.permissions.name", ondelete="CASCADE"), primary_key=True, index=True
    )


class UserRole(Base):
    """Roles that a user has everywhere (within an organisation: `Membership`)."""

    __tablename__ = "user_roles"
    __table_args__ = ({"schema": AUTH},)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[UUID] = mapped_column(ForeignKey("auth.roles.id", ondelete="CASCADE"), primary_key=True, index=True)
    granted_at: Mapped[datetime] = mapped_column(server_default=func.now())


class LoginSession(Identified, Base):
    """One sign-in on one device: the `sid` of its tokens and sockets, and the family of its refresh tokens."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_user_id_live", "user_id", "last_seen_at", postgresql_where=text("revoked_at IS NULL")),
        Index("ix_sessions_user_id", "user_id"),
        {"schema": AUTH},
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    authenticated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When the person last proved who they are (`auth_time`): step-up compares it."""
    methods: Mapped[list[str]] = mapped_column(server_default=text("'{pwd}'::text[]"))
    """How they proved it (`amr`)."""
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    absolute_expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None] = mapped_column(String(40))


class RefreshToken(Identified, Base):
    """One refresh token of a session's family. Only hashes are kept."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        Index("uq_refresh_tokens_token_sha256", "token_sha256", unique=True),
        Index("ix_refresh_tokens_expires_at", "expires_at"),
        {"schema": AUTH},
    )

    session_id: Mapped[UUID] = mapped_column(ForeignKey("auth.sessions.id", ondelete="CASCADE"), index=True)
    parent_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("auth.refresh_tokens.id", ondelete="SET NULL"), index=True
    )
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    derivation_nonce: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Together with the parent's secret (which nobody stores) gives this token again, within the grace period."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    replaced_by: Mapped[UUID | None] = mapped_column(
        ForeignKey("auth.refresh_tokens.id", ondelete="SET NULL", deferrable=True, initially="DEFERRED"), index=True
    )
    ip: Mapped[str | None] = mapped_column(String(45))


class ApiKey(Identified, Base):
    """A machine's credential: `sk_live_<public id>_<secret>`, only the secret's hash is kept."""

    __tablename__ = "api_keys"
    __table_args__ = ({"schema": AUTH},)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), index=True)
    org_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.organisations.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    public_id: Mapped[str] = mapped_column(String(16), unique=True)
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    scopes: Mapped[list[str]] = mapped_column(server_default=EMPTY_LIST)
    ip_allow_list: Mapped[list[str]] = mapped_column(server_default=EMPTY_LIST)
    """Networks (CIDR) that may use it; empty: any."""
    methods: Mapped[list[str]] = mapped_column(server_default=EMPTY_LIST)
    """Methods of the realtime server API that it may call, of those its scopes allow; empty: all of them."""
    namespaces: Mapped[list[str]] = mapped_column(server_default=EMPTY_LIST)
    """Channel namespaces that it may touch through the server API; empty: any."""
    replaces: Mapped[UUID | None] = mapped_column(ForeignKey("auth.api_keys.id", ondelete="SET NULL"), index=True)
    """The key that this one was made to take over from."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class LoginAttempt(Base):
    """One try to sign in, kept for back-off per account and address."""

    __tablename__ = "login_attempts"
    __table_args__ = (
        Index("ix_login_attempts_account_at", "account", "at"),
        Index("ix_login_attempts_ip_at", "ip", "at"),
        Index("ix_login_attempts_at", "at"),
        Index("ix_login_attempts_known", "account", "ip", "at", postgresql_where=text("succeeded IS TRUE")),
        {"schema": AUTH},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    account: Mapped[str] = mapped_column(String(255))
    """Lower-cased e-mail as typed, whether or not such an account exists."""
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), index=True)
    ip: Mapped[str | None] = mapped_column(String(45))
    """Whose limits it counts for: `caller_network` of the address."""
    succeeded: Mapped[bool | None] = mapped_column(Boolean)
    """None while the password is being verified, and for ever when nobody came back to say."""
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class OneTimeToken(Identified, Base):
    """A single-use link: verify an address, reset a password, change an e-mail."""

    __tablename__ = "one_time_tokens"
    __table_args__ = (
        Index("uq_one_time_tokens_token_sha256", "token_sha256", unique=True),
        Index("ix_one_time_tokens_user_id_purpose", "user_id", "purpose"),
        {"schema": AUTH},
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(30))
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class TotpCredential(Base):
    """An authenticator app. The seed is encrypted; a time step works once."""

    __tablename__ = "totp_credentials"
    __table_args__ = ({"schema": AUTH},)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), primary_key=True)
    secret_encrypted: Mapped[bytes] = mapped_column(LargeBinary)
    last_used_step: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[datetime | None]


class RecoveryCode(Identified, Base):
    """A way in without the second factor, once."""

    __tablename__ = "recovery_codes"
    __table_args__ = ({"schema": AUTH},)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime | None]


class WebauthnCredential(Identified, Base):
    """A passkey: a key pair of which only the public half ever leaves the authenticator."""

    __tablename__ = "webauthn_credentials"
    __table_args__ = (
        Index("uq_webauthn_credentials_credential_id", "credential_id", unique=True),
        {"schema": AUTH},
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    """In COSE."""
    sign_count: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """What the authenticator had counted when the key was used last; 0 for those that do not count."""
    transports: Mapped[list[str]] = mapped_column(server_default=EMPTY_LIST)
    name: Mapped[str] = mapped_column(String(80), server_default=text("''"))
    backup_eligible: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """Whether it may be synced at all: a property of the key, which never changes."""
    backed_up: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """Whether it was synced when it was used last."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime | None]


class WebauthnChallenge(Base):
    """What an authenticator is asked to sign. The row goes when an answer comes, whatever the answer is worth."""

    __tablename__ = "webauthn_challenges"
    __table_args__ = (Index("ix_webauthn_challenges_expires_at", "expires_at"), {"schema": AUTH})

    challenge_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), index=True)
    """Who adds a passkey; None: somebody signs in, and the answer says who."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]


class ExternalIdentity(Identified, Base):
    """An account at another identity provider, keyed by issuer and subject (never by e-mail)."""

    __tablename__ = "external_identities"
    __table_args__ = (
        Index("uq_external_identities_issuer_subject", "issuer", "subject", unique=True),
        {"schema": AUTH},
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
