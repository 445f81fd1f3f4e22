"""What authenticators are asked, and whether what they answer is true (WebAuthn level 3). Pure functions.

Both ceremonies want the person verified (by a finger, a face or a PIN) and a key that is found without an account name:
so a passkey is two factors by itself. No attestation is asked for: which make an authenticator is does not matter here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from webauthn.helpers import options_to_json_dict, parse_client_data_json
from webauthn.helpers.base64url_to_bytes import base64url_to_bytes
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

NAME: Final = "Mobula"
"""How authenticators call this site."""

MAX_CREDENTIAL_ID_BYTES: Final = 1_023
"""The most that an id may have by the standard."""

_PORTS = {"http": 80, "https": 443}
_TRANSPORTS = frozenset(transport.value for transport in AuthenticatorTransport)


class NotVerified(Exception):
    """The answer of an authenticator, or what claims to be one, is not good. The message says why, for logs."""


@dataclass(frozen=True, slots=True)
class Site:
    """Whom passkeys are for: `id` is the host, which authenticators bind keys to, `origin` what browsers vouch for."""

    id: str
    origin: str

    @classmethod
    def of(cls, public_url: str) -> "Site":
        """The site at PUBLIC_URL, its origin written as browsers write it."""
        parts = urlsplit(public_url)
        host = (parts.hostname or "").encode("idna").decode()
        port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
        return cls(host, f"{parts.scheme}://{host}{port}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a verified setup brings. `public_key` is COSE."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a verified sign-in says of the authenticator."""

    sign_count: int
    backup_eligible: bool
    backed_up: bool


def ask_for_key(
    site: Site, challenge: bytes, *, user_id: UUID, account: str, person: str, known: Iterable[bytes], timeout_ms: int
) -> dict[str, Any]:
    """Options for `navigator.credentials.create`. Authenticators that hold one of the `known` ids decline."""
    options = webauthn.generate_registration_options(
        rp_id=site.id,
        rp_name=NAME,
        user_id=user_id.bytes,
        user_name=account,
        user_display_name=person,
        challenge=challenge,
        timeout=timeout_ms,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,  # for browsers that do not know the member above
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=credential_id) for credential_id in known],
    )
    return options_to_json_dict(options)


def ask_who(site: Site, challenge: bytes, *, timeout_ms: int) -> dict[str, Any]:
    """Options for `navigator.credentials.get`, for whoever has a passkey for this site."""
    options = webauthn.generate_authentication_options(
        rp_id=site.id,
        challenge=challenge,
        timeout=timeout_ms,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def challenge_in(credential: Mapping[str, Any]) -> bytes:
    """Which challenge this answers, before anything of it is believed. Raises NotVerified."""
    try:
        client = parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    except Exception as error:  # a stranger's bytes, and decoders that raise what they like
        raise NotVerified(f"client data: {error}") from error
    return client.challenge


def verify_key(site: Site, credential: Mapping[str, Any], challenge: bytes) -> NewKey:
    """The key that a setup made. Raises NotVerified."""
    try:
        found = webauthn.verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except Exception as error:  # see above
        raise NotVerified(str(error)) from error
    _refuse_frames(credential)
    if len(found.credential_id) > MAX_CREDENTIAL_ID_BYTES:
        raise NotVerified("the credential id is too long")
    given = credential["response"].get("transports") or ()
    return NewKey(
        found.credential_id,
        found.credential_public_key,
        found.sign_count,
        found.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
        found.credential_backed_up,
        tuple(sorted(_TRANSPORTS.intersection(given))),
    )


def verify_answer(site: Site, credential: Mapping[str, Any], challenge: bytes, public_key: bytes) -> Assertion:
    """What the holder of a key signed. Raises NotVerified. The counter is the caller's to compare."""
    try:
        found = webauthn.verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=site.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:  # see above
        raise NotVerified(str(error)) from error
    _refuse_frames(credential)
    return Assertion(
        found.new_sign_count,
        found.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
        found.credential_backed_up,
    )


def credential_id_in(credential: Mapping[str, Any]) -> bytes:
    """Which key claims to have signed. Raises NotVerified."""
    return _decoded(credential.get("rawId"), "rawId")


def user_in(credential: Mapping[str, Any]) -> UUID:
    """Whose key it is by what the authenticator keeps beside it (`userHandle`). Raises NotVerified."""
    try:
        return UUID(bytes=_decoded(credential["response"].get("userHandle"), "userHandle"))
    except ValueError as error:
        raise NotVerified("userHandle is none of ours") from error


def _decoded(text: Any, what: str) -> bytes:
    try:
        return base64url_to_bytes(text)
    except Exception as error:  # see above
        raise NotVerified(f"{what} is not base64url") from error


def _refuse_frames(credential: Mapping[str, Any]) -> None:
    """No page of ours asks from within a page of somebody else's."""
    client = parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    if client.cross_origin:
        raise NotVerified("asked from within another site's page")
