"""Cookies of the browser mode: out of reach for scripts, and for other sites."""

from fastapi import Response

ACCESS = "mobula_access"
REFRESH = "mobula_refresh"


def access_cookie_name(*, secure: bool) -> str:
    """`__Host-` makes browsers insist on Secure, on no Domain and on path /: no sibling host can plant one."""
    return f"__Host-{ACCESS}" if secure else ACCESS


def refresh_cookie_name(*, secure: bool) -> str:
    """As for the access token."""
    return f"__Host-{REFRESH}" if secure else REFRESH


def set_cookies(
    response: Response,
    *,
    access: str,
    access_max_age_s: int,
    refresh: str,
    refresh_max_age_s: int,
    secure: bool,
) -> None:
    """Hand both tokens to the browser."""
    response.set_cookie(
        access_cookie_name(secure=secure),
        access,
        max_age=access_max_age_s,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
    response.set_cookie(
        refresh_cookie_name(secure=secure),
        refresh,
        max_age=refresh_max_age_s,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def clear_cookies(response: Response, *, secure: bool) -> None:
    """Take both back, and what the browser has cached of us (ASVS 14.3.1).

    Not "storage": that is the front end's, which keeps the theme and the owner's cart there, and removes the rest.
    """
    for name in (access_cookie_name(secure=secure), refresh_cookie_name(secure=secure)):
        response.delete_cookie(name, path="/", secure=secure, httponly=True)
    response.headers["Clear-Site-Data"] = '"cache"'
