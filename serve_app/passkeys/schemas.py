"""What passkeys look like over HTTP. What browsers make and take is in the JSON of WebAuthn (level 3, section 5.1)."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from db.passkeys.ceremonies import MAX_CREDENTIAL_ID_BYTES
from db.passkeys.service import MAX_NAME
from serve_app.auth.schemas import Code, GivenPassword
from serve_app.schemas import RequestSchema, ResourceSchema, ResponseSchema

Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME), Field(examples=["Ada's telephone"])]
CredentialId = Annotated[str, StringConstraints(min_length=1, max_length=(MAX_CREDENTIAL_ID_BYTES * 4 + 2) // 3)]
Encoded = Annotated[str, StringConstraints(min_length=1, max_length=8_192), Field(description="base64url")]
"""Far more than what a key signs, or says of itself."""


class Passkey(ResourceSchema):
    """A key that signs its owner in."""

    id: UUID
    name: str
    credential_id: str = Field(description="What the authenticator calls it, base64url.")
    synced: bool = Field(description="Whether it was kept on several devices when it was used last.")
    created_at: datetime
    last_used_at: datetime | None


class PasskeyList(ResponseSchema):
    """The caller's passkeys."""

    items: list[Passkey]
    limit: int = Field(description="How many an account may have.", examples=[10])
    rp_id: str = Field(description="The host that they are for.", examples=["shop.example"])


class PasskeyProof(RequestSchema):
    """Adding and removing passkeys needs the password, and a code if there is a second factor."""

    current_password: GivenPassword
    code: Code | None = None


class PasskeyOptions(ResponseSchema):
    """What to ask an authenticator."""

    options: dict[str, Any] = Field(
        description="For `PublicKeyCredential.parseCreationOptionsFromJSON`, or `parseRequestOptionsFromJSON`."
    )
    expires_in: int = Field(description="Seconds until the challenge in it is void.", examples=[300])


class _FromBrowser(RequestSchema):
    """What a browser wrote: members that do not matter here are passed over."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=False)


class NewKeyResponse(_FromBrowser):
    """AuthenticatorAttestationResponseJSON."""

    client_data: Encoded = Field(alias="clientDataJSON")
    attestation: Annotated[str, StringConstraints(min_length=1, max_length=65_536)] = Field(
        alias="attestationObject", description="base64url"
    )
    transports: Annotated[list[Annotated[str, StringConstraints(max_length=32)]], Field(max_length=16)] = Field(
        default_factory=list, examples=[["internal", "hybrid"]]
    )


class NewKey(_FromBrowser):
    """RegistrationResponseJSON."""

    id: CredentialId
    raw_id: CredentialId = Field(alias="rawId")
    type: Literal["public-key"]
    response: NewKeyResponse


class AnswerResponse(_FromBrowser):
    """AuthenticatorAssertionResponseJSON."""

    client_data: Encoded = Field(alias="clientDataJSON")
    authenticator_data: Encoded = Field(alias="authenticatorData")
    signature: Encoded
    user_handle: Annotated[str, StringConstraints(max_length=128)] | None = Field(
        default=None, alias="userHandle", description="base64url"
    )


class Answer(_FromBrowser):
    """AuthenticationResponseJSON."""

    id: CredentialId
    raw_id: CredentialId = Field(alias="rawId")
    type: Literal["public-key"]
    response: AnswerResponse


class PasskeyCreate(RequestSchema):
    """What the authenticator made, and what its owner calls it."""

    name: Name
    credential: NewKey


class PasskeyUpdate(RequestSchema):
    """A passkey's new name."""

    name: Name


class PasskeyLogin(RequestSchema):
    """What the authenticator signed, and how the tokens travel."""

    credential: Answer
    mode: Literal["bearer", "cookie"] = "bearer"
