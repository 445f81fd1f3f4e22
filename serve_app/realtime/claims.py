"""The claims of verified tokens, ours and other issuers', as credentials and grants.

Everything in a token is checked here once. What is malformed makes the whole token invalid: a signature over nonsense
is no permission.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

import orjson

from actors.protocol import overrides, tags_filter
from actors.protocol.json_codec import single_line
from serve_app.realtime import capabilities
from serve_app.realtime.credentials import ClaimedSubscription, Credentials, CredentialsInvalid, SubscriptionGrant

Payload = Mapping[str, Any]

MAX_TEXT_LENGTH: Final = 255
"""As long as what the server API can name. A user's id travels with every join and publication of theirs."""

MAX_TIME: Final = 253_402_300_799
"""The end of the year 9999, in Unix seconds: what is later was not meant as seconds, and no calendar holds it."""


def credentials(payload: Payload, *, user_claim: str = "sub", ends_with_token: bool) -> Credentials:
    """A connection token's claims. `ends_with_token`: without `expire_at` the connection ends at `exp`.

    Raises CredentialsInvalid.
    """
    if payload.get("channel"):
        raise CredentialsInvalid("a subscription token cannot open a connection")
    try:
        return Credentials(
            user=_text(payload, user_claim),
            session=_text(payload, "sid"),
            info=_json(payload, "info", "b64info"),
            subs=_server_side(payload),
            expires_at=_end(payload, ends_with_token=ends_with_token),
            issued_at=_time(payload, "iat") or 0.0,
            token_id=_text(payload, "jti"),
            capabilities=capabilities.parse(payload.get("caps")),
            meta=_json(payload, "meta"),
        )
    except ValueError as reason:
        raise CredentialsInvalid(str(reason)) from None


def grant(payload: Payload, *, user_claim: str = "sub", ends_with_token: bool) -> SubscriptionGrant:
    """A subscription token's claims. Raises CredentialsInvalid."""
    if not payload.get("channel"):
        raise CredentialsInvalid("a subscription token names its channel")
    try:
        return SubscriptionGrant(
            user=_text(payload, user_claim),
            channel=_text(payload, "channel"),
            client=_text(payload, "client"),
            info=_json(payload, "info", "b64info"),
            expires_at=_end(payload, ends_with_token=ends_with_token),
            overrides=overrides.parse(payload.get("override")),
            allow=capabilities.parse_allow(payload.get("allow")),
            tags=tags_filter.parse(tags) if (tags := _json(payload, "tags_filter")) else None,
            issued_at=_time(payload, "iat") or 0.0,
            token_id=_text(payload, "jti"),
        )
    except ValueError as reason:
        raise CredentialsInvalid(str(reason)) from None


def _text(payload: Payload, name: str) -> str:
    """What identifies somebody or something: it becomes part of rows, channel names, logs and others' messages."""
    value = payload.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"claim '{name}' is no text")  # noqa: TRY004 - one kind of error for everything in a claim
    if len(value) > MAX_TEXT_LENGTH:
        raise ValueError(f"claim '{name}' is longer than {MAX_TEXT_LENGTH}")
    if not value.isprintable():
        # NUL, which no text column holds, and half a surrogate pair, which is no text, among others.
        raise ValueError(f"claim '{name}' has characters that cannot be printed")
    return value


def _time(payload: Payload, name: str) -> float | None:
    value = payload.get(name)
    if value is None:
        return None
    # Compared and never converted: an integer of a token may be longer than any float. NaN is not between them.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MAX_TIME:
        raise ValueError(f"claim '{name}' is no time")
    return float(value)


def _end(payload: Payload, *, ends_with_token: bool) -> float | None:
    """`expire_at` says how long what the token opens lives (0: for ever), apart from the token's own life."""
    end = _time(payload, "expire_at")
    if end is None:
        return _time(payload, "exp") if ends_with_token else None
    return end or None


def _json(payload: Payload, name: str, base64_name: str = "") -> bytes:
    encoded = payload.get(base64_name) if base64_name else None
    if encoded is not None:
        if not isinstance(encoded, str):
            raise ValueError(f"claim '{base64_name}' is no text")
        try:
            return single_line(b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            raise ValueError(f"claim '{base64_name}' is not the base64 of JSON") from None
    value = payload.get(name)
    if value is None:
        return b""
    try:
        return single_line(orjson.dumps(value))
    except (TypeError, ValueError):
        # Numbers of more than 64 bits, half a surrogate pair, too deep: JSON of a kind that not everybody can read.
        raise ValueError(f"claim '{name}' cannot be passed on as JSON") from None


def _server_side(payload: Payload) -> dict[str, ClaimedSubscription]:
    channels, subs = payload.get("channels"), payload.get("subs")
    found: dict[str, ClaimedSubscription] = {}
    if channels is not None:
        if not isinstance(channels, list) or not all(isinstance(channel, str) for channel in channels):
            raise ValueError("claim 'channels' is no list of texts")
        found = dict.fromkeys(channels, ClaimedSubscription())
    if subs is not None:
        if not isinstance(subs, Mapping):
            raise ValueError("claim 'subs' is no object")
        found |= {channel: _one(options) for channel, options in subs.items()}
    return found


def _one(options: Any) -> ClaimedSubscription:
    if options is None:
        return ClaimedSubscription()
    if not isinstance(options, Mapping):
        raise ValueError("the options of a subscription in 'subs' are no object")  # noqa: TRY004 - see above
    return ClaimedSubscription(
        _json(options, "info", "b64info"), _json(options, "data", "b64data"), overrides.parse(options.get("override"))
    )
