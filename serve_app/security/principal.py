"""Who makes a request, and what they may do."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Method = Literal["bearer", "cookie", "api_key"]


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `permissions` is what this credential may do: an API key's scopes narrow its owner's."""

    user_id: UUID
    username: str
    roles: frozenset[str]
    permissions: frozenset[str]
    method: Method
    session_id: UUID | None = None
    """The login session; None for API keys."""
    session_expires_at: int = 0
    """Absolute end of the login session, Unix seconds; 0 for API keys."""
    authenticated_at: int = 0
    """When the password was last given, Unix seconds."""
    is_verified: bool = True
    """Whether the account's e-mail address is verified. Of what is withheld until then, `permissions` has nothing."""
    api_key_id: UUID | None = None
    methods: frozenset[str] = frozenset()
    """Methods of the realtime server API that an API key is limited to; empty: all that its permissions allow."""
    namespaces: frozenset[str] = frozenset()
    """Channel namespaces that an API key is limited to; empty: any."""

    def may(self, permission: str) -> bool:
        """Whether this credential carries a permission."""
        return permission in self.permissions
