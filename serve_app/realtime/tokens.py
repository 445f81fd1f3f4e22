"""Our own tokens as what they grant a connection."""

from serve_app.realtime.credentials import Credentials, CredentialsExpired, CredentialsInvalid, SubscriptionGrant
from serve_app.security.tokens import TokenExpired, TokenInvalid, TokenVerifier


class SignedTokens:
    """Verifier of the tokens that the api application issues."""

    def __init__(self, tokens: TokenVerifier) -> None:
        self._tokens = tokens

    def connection(self, token: str) -> Credentials:
        """Verify a connection token."""
        try:
            claims = self._tokens.verify_connection(token)
        except TokenExpired as reason:
            raise CredentialsExpired from reason
        except TokenInvalid as reason:
            raise CredentialsInvalid from reason
        subs = {channel: options if isinstance(options, dict) else {} for channel, options in claims.subs.items()}
        return Credentials(
            user=claims.sub,
            session=claims.sid,
            info=claims.info,
            subs=subs,
            expires_at=float(claims.expire_at) if claims.expire_at else None,
            issued_at=float(claims.issued_at),
        )

    def subscription(self, token: str) -> SubscriptionGrant:
        """Verify a subscription token."""
        try:
            claims = self._tokens.verify_subscription(token)
        except TokenExpired as reason:
            raise CredentialsExpired from reason
        except TokenInvalid as reason:
            raise CredentialsInvalid from reason
        return SubscriptionGrant(
            user=claims.sub,
            channel=claims.channel,
            client=claims.client,
            info=claims.info,
            expires_at=float(claims.expire_at) if claims.expire_at else None,
        )
