"""Accounts as responses."""

from collections.abc import Sequence

from db.auth.models import User as UserRow
from serve_app.auth.schemas import CurrentUser
from serve_app.links import action, self_link
from serve_app.schemas import Link, Links
from serve_app.security.principal import Principal
from serve_app.users.schemas import User


def present_user(row: UserRow, roles: Sequence[str], principal: Principal | None, *, full: bool = True) -> User:
    """One account; `full` adds what the caller may do with it."""
    path = f"/users/{row.id}"
    links = self_link(path)
    if full and principal is not None:
        links |= _actions(row, principal)
    return User.of(row, roles=list(roles), metadata=row.extra, links=links)


def present_current_user(row: UserRow, principal: Principal) -> CurrentUser:
    """The caller's own account."""
    links = self_link("/auth/me") | {
        "update": action("/auth/me", "PATCH"),
        "sessions": Link(href="/api/v1/auth/sessions"),
        "orders": Link(href=f"/api/v1/users/{row.id}/orders"),
        "logout": action("/auth/logout", "POST"),
    }
    return CurrentUser.of(
        row,
        roles=sorted(principal.roles),
        permissions=sorted(principal.permissions),
        metadata=row.extra,
        links=links,
    )


def _actions(row: UserRow, principal: Principal) -> Links:
    path = f"/users/{row.id}"
    own = row.id == principal.user_id
    links: Links = {}
    if own or principal.may("orders:read_all"):
        links["orders"] = Link(href=f"/api/v1{path}/orders")
    if own or principal.may("users:write"):
        links["update"] = action(path, "PATCH")
        links["delete"] = action(path, "DELETE")
    if principal.may("users:write"):
        links["replace"] = action(path, "PUT")
    return links
