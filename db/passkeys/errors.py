"""Why a passkey was refused, or what it cannot be used for."""

from typing import ClassVar

from db.errors import Conflict, InvalidInput, NotFound, Unauthenticated


class PasskeyNotFound(NotFound):
    """This user has no passkey with this id."""

    code = "passkey_not_found"
    default_message = "There is no such passkey."


class PasskeyTaken(Conflict):
    """The credential is registered already: with this account or, by a broken authenticator, with another."""

    code = "passkey_taken"
    default_message = "This passkey is registered already."


class TooManyPasskeys(Conflict):
    """The account has as many passkeys as it may."""

    code = "too_many_passkeys"
    default_message = "This account has as many passkeys as it may. Remove one first."


class PasskeySetupOver(Conflict):
    """The challenge of the setup is unknown, too old or used, or somebody else's; or the password changed meanwhile."""

    code = "passkey_setup_over"
    default_message = "The setup took too long; start again."


class PasskeyRefused(InvalidInput):
    """What the authenticator made does not answer the challenge, or not for this site."""

    code = "passkey_refused"
    default_message = "The new passkey could not be verified."
    keeps_changes: ClassVar[bool] = True  # its challenge is spent


class PasskeyInvalid(Unauthenticated):
    """Unknown passkey, wrong signature, a copied key or an account that ended: the answer does not say which."""

    code = "passkey_invalid"
    default_message = "This passkey is not accepted. It may have been removed from its account."
    keeps_changes: ClassVar[bool] = True  # the failed attempt is counted, the challenge is spent


class PasskeyChallengeInvalid(Unauthenticated):
    """The challenge that was signed is unknown, used or too old."""

    code = "passkey_challenge_invalid"
    default_message = "Signing in took too long; try again."
