"""Facts about accounts."""

from typing import ClassVar, Literal
from uuid import UUID

from db.events.event import DomainEvent


class UserCreated(DomainEvent):
    """Somebody registered."""

    type: ClassVar[str] = "user.created"

    user_id: UUID
    email: str
    username: str


class RegistrationRefused(DomainEvent):
    """Somebody tried to register an address or a name that is taken, and only a mail may tell them (HIDE_ACCOUNTS)."""

    type: ClassVar[str] = "user.registration_refused"

    email: str
    username: str
    taken: Literal["email", "username"]


class RefreshReuseDetected(DomainEvent):
    """A copied refresh token was noticed and its session ended: tell the owner."""

    type: ClassVar[str] = "user.refresh_reuse_detected"

    user_id: UUID
    session_id: UUID
    ip: str | None = None


class VerificationRequested(DomainEvent):
    """Somebody must prove that an address is theirs: mail the link of this one-time token, whose secret nobody has."""

    type: ClassVar[str] = "user.verification_requested"

    user_id: UUID
    token_id: UUID


class PasswordResetRequested(DomainEvent):
    """Somebody forgot a password, or says so. Recorded whether or not there is such an account."""

    type: ClassVar[str] = "user.password_reset_requested"

    email: str
    ip: str | None = None
    request_id: str | None = None
    """From where, for the audit trail, which is written by the job that mails the link."""


class PasswordChanged(DomainEvent):
    """An account has a new password: tell its owner."""

    type: ClassVar[str] = "user.password_changed"

    user_id: UUID


class EmailChanged(DomainEvent):
    """An account has a new address: tell the old one."""

    type: ClassVar[str] = "user.email_changed"

    user_id: UUID
    old_email: str
    was_verified: bool = True
    """Whether the old address had been proven to be the owner's."""


SecondFactorChange = Literal["enabled", "disabled", "removed", "codes_renewed", "code_used", "guessed"]


class SecondFactorChanged(DomainEvent):
    """What happened to a second factor: tell the owner of the account.

    `removed`: by an administrator. `code_used`: a recovery code, `codes_left` are left. `guessed`: whoever has the
    password gave too many wrong codes.
    """

    type: ClassVar[str] = "user.second_factor_changed"

    user_id: UUID
    change: SecondFactorChange
    codes_left: int = 0
