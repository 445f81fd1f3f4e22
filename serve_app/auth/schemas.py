"""What registration, login, sessions and API keys look like over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, EmailStr, Field, StringConstraints, validate_email

from serve_app.schemas import FreeJson, RequestSchema, ResourceSchema, ResponseSchema, Whole

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 128
"""Bounds the work of one hash; longer than any person types."""

Username = Annotated[
    str,
    StringConstraints(min_length=3, max_length=32, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
    Field(examples=["ada"]),
]
FullName = Annotated[str, Field(max_length=120, examples=["Ada Lovelace"])]
Email = Annotated[EmailStr, Field(max_length=254, examples=["ada@example.com"])]


def _as_registered(typed: str) -> str:
    """The address as `Email` would have stored it (IDNA, NFC); what is none stays as it was typed."""
    try:
        return validate_email(typed)[1]
    except ValueError:
        return typed


TypedEmail = Annotated[
    str, Field(min_length=3, max_length=254, examples=["ada@example.com"]), AfterValidator(_as_registered)
]
NewPassword = Annotated[
    str,
    StringConstraints(min_length=MIN_PASSWORD_CHARACTERS, max_length=MAX_PASSWORD_CHARACTERS, strip_whitespace=False),
    Field(
        description="Any characters; common passwords and your own name are refused.", examples=["blue kettle on fire"]
    ),
]
GivenPassword = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_PASSWORD_CHARACTERS, strip_whitespace=False)
]

Code = Annotated[
    str,
    Field(
        min_length=6,
        max_length=32,
        description="Six digits of the authenticator app, or a recovery code.",
        examples=["492039", "7QX4-M2KD-9RTA"],
    ),
]
LinkToken = Annotated[str, Field(min_length=1, max_length=128, description="What stands behind `#` in the link.")]


class RegisterRequest(RequestSchema):
    """A new account."""

    email: Email
    username: Username
    password: NewPassword
    full_name: FullName = ""


class LoginRequest(RequestSchema):
    """Who, and how the tokens travel: in the body (`bearer`) or in HttpOnly cookies (`cookie`)."""

    email: TypedEmail
    password: GivenPassword
    mode: Literal["bearer", "cookie"] = "bearer"


class LoginChallenge(ResponseSchema):
    """The password was right, and the account has a second factor: answer with a code of it."""

    challenge: str = Field(description="Goes with the code to `/auth/login/second-factor`; works once.")
    expires_in: int = Field(description="Seconds until it is void.", examples=[300])


class SecondFactorLogin(RequestSchema):
    """The second step of signing in."""

    challenge: Annotated[str, Field(min_length=1, max_length=128)]
    code: Code
    mode: Literal["bearer", "cookie"] = "bearer"


class EmailVerify(RequestSchema):
    """What the mailed link carries."""

    token: LinkToken


class EmailVerified(ResponseSchema):
    """The address that is verified now."""

    email: str


class PasswordForgotten(RequestSchema):
    """Whose password is to be replaced."""

    email: TypedEmail


class MailOnItsWay(ResponseSchema):
    """The same answer to everybody."""

    detail: str


class PasswordReset(RequestSchema):
    """What the mailed link carries, and the new password."""

    token: LinkToken
    new_password: NewPassword


class RefreshRequest(RequestSchema):
    """The refresh token; left out when it is in the cookie."""

    refresh_token: Annotated[str, Field(max_length=512)] | None = None


class LogoutRequest(RequestSchema):
    """Which sessions end: this one, or all of the user's."""

    everywhere: bool = False


class UserSummary(ResponseSchema):
    """As much of a person as another person may see."""

    id: UUID
    username: str


class CurrentUser(ResourceSchema):
    """The person who is signed in."""

    id: UUID
    email: str
    username: str
    full_name: str
    is_active: bool
    is_verified: bool
    roles: list[str] = Field(examples=[["customer"]])
    permissions: list[str] = Field(description="What this credential may do.", examples=[["exports:create"]])
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    version: int


class RegistrationAccepted(ResponseSchema):
    """The answer to everybody when accounts are hidden (HIDE_ACCOUNTS)."""

    detail: str


class TokenResponse(ResponseSchema):
    """An access token and its refresh token; both null in cookie mode, where they are in HttpOnly cookies."""

    access_token: str | None
    refresh_token: str | None
    token_type: Literal["bearer", "cookie"]
    expires_in: int = Field(description="Seconds until the access token expires.", examples=[600])
    session_expires_at: datetime = Field(description="The login session ends then, however often it is refreshed.")
    user: CurrentUser


class CurrentUserUpdate(RequestSchema):
    """What a person may change. A new e-mail address or password needs the current password."""

    username: Username | None = None
    full_name: FullName | None = None
    email: Email | None = None
    metadata: FreeJson | None = Field(default=None, description="Replaces the present object.")
    current_password: GivenPassword | None = None
    new_password: NewPassword | None = None
    code: Code | None = Field(default=None, description="Beside the current password, if there is a second factor.")


class LoginSession(ResourceSchema):
    """One sign-in of one device."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    ip: str | None
    user_agent: str | None
    expires_at: datetime = Field(description="The absolute end of the session.")
    current: bool = Field(description="The session of this very request.")
    methods: list[str] = Field(description="How it was opened.", examples=[["pwd", "otp"]])


class LoginSessionList(ResponseSchema):
    """All live sessions of the caller."""

    items: list[LoginSession]


class ApiKeyCreate(RequestSchema):
    """A key for a program. It can do what its owner can, limited to `scopes`."""

    name: Annotated[str, Field(min_length=1, max_length=80, examples=["nightly import"])]
    scopes: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=64)]
    expires_in_days: Annotated[Whole, Field(ge=1, le=3650)] | None = Field(default=90, description="null: never.")
    allowed_ips: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=32)] = Field(
        default_factory=list, description="Addresses or networks (CIDR) that may use it; empty: any."
    )
    methods: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=64)] = Field(
        default_factory=list,
        description="Methods of the realtime server API that it may call, of those its scopes allow; empty: all.",
        examples=[["publish", "broadcast"]],
    )
    namespaces: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=64)] = Field(
        default_factory=list,
        description="Channel namespaces that it may touch through the server API; empty: any.",
        examples=[["room"]],
    )


class ApiKeyRotate(RequestSchema):
    """How to replace a key."""

    overlap_hours: Annotated[Whole, Field(ge=0, le=720)] = Field(
        default=24, description="How long the old key goes on beside the new one."
    )


class ApiKey(ResourceSchema):
    """A key, without its secret."""

    id: UUID
    name: str
    prefix: str = Field(description="Public part of the key, to recognise it by.", examples=["sk_live_x7Kd02Qa"])
    scopes: list[str]
    allowed_ips: list[str]
    methods: list[str] = Field(description="Methods of the server API that it is limited to; empty: none left out.")
    namespaces: list[str] = Field(description="Channel namespaces that it is limited to; empty: any.")
    replaces: UUID | None = Field(description="The key that it took over from.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeyCreated(ApiKey):
    """A new key, with the secret: shown this once."""

    key: str = Field(examples=["sk_live_x7Kd02Qa_…"])


class ApiKeyList(ResponseSchema):
    """The caller's keys."""

    items: list[ApiKey]
