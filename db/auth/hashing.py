"""What this room needs of a password hasher. The implementation is `serve_app.security.passwords`."""

from typing import Final, Protocol

UNUSABLE: Final = "!"
"""In place of a hash: no password matches it."""


class PasswordHasher(Protocol):
    """Slow on purpose; runs outside the event loop and outside any transaction."""

    async def hash(self, password: str) -> str:
        """A salted hash to store."""

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password matches. `stored` None (no such account) takes as long and answers False."""

    def needs_rehash(self, stored: str) -> bool:
        """Whether the hash was made with weaker settings than today's."""
