"""The rules of accounts and credentials, in one place to import from.

`authenticate` takes the Database, because hashing must not happen inside a transaction; everything else takes the
caller's session.
"""

from db.auth.accounts import check_email, check_username, load_identity, refuse_by_mail, register, set_roles
from db.auth.api_keys import (
    ApiKeyIdentity,
    CreatedApiKey,
    create_api_key,
    list_api_keys,
    revoke_api_key,
    rotate_api_key,
    verify_api_key,
)
from db.auth.login import LoginCandidate, authenticate, conclude, find_candidate, prune_attempts
from db.auth.repository import Identity
from db.auth.sessions import (
    OpenSession,
    list_sessions,
    open_session,
    prune_sessions,
    revoke_all,
    revoke_session,
    rotate_refresh,
    touch_session,
)

__all__ = [
    "ApiKeyIdentity",
    "CreatedApiKey",
    "Identity",
    "LoginCandidate",
    "OpenSession",
    "authenticate",
    "check_email",
    "check_username",
    "conclude",
    "create_api_key",
    "find_candidate",
    "list_api_keys",
    "list_sessions",
    "load_identity",
    "open_session",
    "prune_attempts",
    "prune_sessions",
    "refuse_by_mail",
    "register",
    "revoke_all",
    "revoke_api_key",
    "revoke_session",
    "rotate_api_key",
    "rotate_refresh",
    "set_roles",
    "touch_session",
    "verify_api_key",
]
