"""Codes of authenticator apps (RFC 6238: six digits, thirty seconds, SHA-1, which is what apps understand)."""

import hmac
from typing import Final

import pyotp

STEP_S: Final = 30
WINDOW: Final = 1
"""Steps before and after now that count: clocks of telephones differ, and people type slowly."""


def new_secret() -> str:
    """160 random bits, in base32 as apps want them."""
    return pyotp.random_base32()


def uri(secret: str, *, account: str, issuer: str) -> str:
    """What the QR code says: `otpauth://totp/…`."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=account, issuer_name=issuer)


def matching_step(secret: str, code: str, *, at: float, after: int | None) -> int | None:
    """The time step that this code belongs to; None when it belongs to none of the window, or to one not after `after`.

    `at` is Unix seconds; `after` the step that was used last.
    """
    otp = pyotp.TOTP(secret, interval=STEP_S)
    now = int(at // STEP_S)
    found = None
    for step in range(now - WINDOW, now + WINDOW + 1):  # all of them, whichever it is: time must not tell
        if hmac.compare_digest(otp.generate_otp(step).encode(), code.encode()) and (after is None or step > after):
            found = step
    return found
