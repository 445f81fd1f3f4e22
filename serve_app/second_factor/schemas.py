"""What a second factor looks like over HTTP."""

from datetime import datetime

from pydantic import Field

from serve_app.auth.schemas import Code, GivenPassword
from serve_app.schemas import RequestSchema, ResourceSchema, ResponseSchema


class SecondFactor(ResourceSchema):
    """Whether signing in asks for a code."""

    enabled: bool
    enabled_at: datetime | None
    recovery_codes_left: int


class EnrolmentBegin(RequestSchema):
    """Setting up an authenticator app needs the password."""

    current_password: GivenPassword


class Enrolment(ResponseSchema):
    """What an authenticator app must know; in this answer and nowhere else."""

    secret: str = Field(description="For typing, base32.", examples=["JBSWY3DPEHPK3PXP"])
    otpauth_uri: str = Field(examples=["otpauth://totp/Mobula:ada%40example.com?secret=…&issuer=Mobula"])
    qr_svg: str = Field(description="The same as a QR code: an SVG image.")


class EnrolmentConfirm(RequestSchema):
    """A code of the app shows that it knows the secret."""

    code: Code


class SecondFactorProof(RequestSchema):
    """Changing a second factor needs both factors."""

    current_password: GivenPassword
    code: Code


class RecoveryCodes(ResponseSchema):
    """Each works once, when the app is lost; in this answer and nowhere else."""

    recovery_codes: list[str] = Field(examples=[["7QX4-M2KD-9RTA"]])
