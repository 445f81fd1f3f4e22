"""Why signing in, or proving who one is, was refused."""

from typing import ClassVar

from db.errors import Conflict, InvalidInput, NotFound, PermissionDenied, TooManyRequests, Unauthenticated, Unavailable


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


class EmailUnverified(PermissionDenied):
    """UNVERIFIED_WITHOUT withholds this from accounts whose address is not verified."""

    code = "email_unverified"
    default_message = "Verify your e-mail address first."


class EmailAlreadyVerified(Conflict):
    """There is nothing to verify."""

    code = "email_already_verified"
    default_message = "This e-mail address is verified already."


class LinkInvalid(InvalidInput):
    """A mailed link that is unknown, used or too old, or was overtaken by a change of the account."""

    code = "link_invalid"
    default_message = "This link is not valid any more; ask for a new one."


class TooManyMails(TooManyRequests):
    """Mail of this kind was asked for too often."""

    code = "too_many_mails"
    default_message = "We have sent you mail a moment ago; wait a little before you ask again."


class TooManyRegistrations(TooManyRequests):
    """REGISTRATIONS_PER_HOUR of this address are used up."""

    code = "too_many_registrations"
    default_message = "Too many accounts were registered from here; try again later."


class TooManyAddresses(TooManyRequests):
    """The e-mail address of this account was changed, or tried to be, too often."""

    code = "too_many_addresses"
    default_message = "The e-mail address was changed too often; wait a little."


class SecondFactorEnabled(Conflict):
    """An authenticator app is in use already: switch it off first."""

    code = "second_factor_enabled"
    default_message = "An authenticator app is already set up for this account."


class SecondFactorDisabled(Conflict):
    """There is no authenticator app in use, or no enrolment has been begun (lately)."""

    code = "second_factor_disabled"
    default_message = "No authenticator app is set up for this account, or the setup took too long; start again."


class CodeRequired(PermissionDenied):
    """An account with a second factor needs it for this."""

    code = "code_required"
    default_message = "This needs a code of your authenticator app, or a recovery code."
    field = "code"


class WrongCode(PermissionDenied):
    """The code is wrong, was used before, or its time is over."""

    code = "wrong_code"
    default_message = "This code is wrong, or was used before. Wait for the next one."
    field = "code"
    keeps_changes: ClassVar[bool] = True  # the failed attempt is counted


class LoginCodeInvalid(Unauthenticated):
    """The same while signing in."""

    code = "login_code_invalid"
    default_message = "This code is wrong, or was used before. Wait for the next one."
    keeps_changes: ClassVar[bool] = True  # the failed attempt is counted


class LoginChallengeInvalid(Unauthenticated):
    """The challenge between password and code is unknown, used, too old, or was answered wrongly too often."""

    code = "login_challenge_invalid"
    default_message = "Signing in took too long; start again with your password."


class SealingUnavailable(Unavailable):
    """ENCRYPTION_KEY is missing, or the key that something was encrypted with is."""

    code = "sealing_unavailable"
    default_message = "The key that this is encrypted with is not configured."


class UnknownRole(InvalidInput):
    """No role has this name."""

    code = "unknown_role"
    default_message = "There is no such role."
