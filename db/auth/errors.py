"""Why signing in, or proving who one is, was refused."""

from typing import ClassVar

from db.errors import Conflict, InvalidInput, NotFound, PermissionDenied, TooManyRequests, Unauthenticated


class EmailTaken(Conflict):
    """Another live account has this e-mail address."""

    code = "email_taken"
    default_message = "This e-mail address is already registered."


class UsernameTaken(Conflict):
    """Another live account has this username."""

    code = "username_taken"
    default_message = "This username is taken."


class InvalidCredentials(Unauthenticated):
    """Unknown account, wrong password or disabled account: the answer does not say which."""

    code = "invalid_credentials"
    default_message = "E-mail address or password is wrong."
    keeps_changes: ClassVar[bool] = True  # the failed attempt is counted


class TooManyLoginAttempts(TooManyRequests):
    """Back-off after failed attempts, per account and per address."""

    code = "too_many_login_attempts"
    default_message = "Too many failed attempts; wait a little."


class RefreshTokenInvalid(Unauthenticated):
    """Unknown or expired refresh token, or its session has ended."""

    code = "refresh_token_invalid"
    default_message = "Sign in again."


class RefreshTokenReused(Unauthenticated):
    """A refresh token came a second time: somebody has a copy, so the whole family ended."""

    code = "refresh_token_reused"
    default_message = "This refresh token was used before; the session has been ended. Sign in again."
    keeps_changes: ClassVar[bool] = True  # the revocation must hold


class SessionNotFound(NotFound):
    """No live session of this user has this id."""

    code = "session_not_found"
    default_message = "There is no such session."


class ApiKeyInvalid(Unauthenticated):
    """Unknown, expired or revoked API key, or one that may not be used from this address."""

    code = "api_key_invalid"
    default_message = "This API key is not valid."


class ApiKeyNotFound(NotFound):
    """This user has no live API key with this id."""

    code = "api_key_not_found"
    default_message = "There is no such API key."


class ScopeNotHeld(PermissionDenied):
    """A key cannot do what its owner may not."""

    code = "scope_not_held"
    default_message = "You cannot give a key permissions that you do not have."


class UnknownRole(InvalidInput):
    """No role has this name."""

    code = "unknown_role"
    default_message = "There is no such role."
