"""A JSON Web Key Set."""

from serve_app.schemas import ResponseSchema


class PublicKey(ResponseSchema):
    """One Ed25519 key (RFC 8037)."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class KeySet(ResponseSchema):
    """All keys that may have signed a token."""

    keys: list[PublicKey]
