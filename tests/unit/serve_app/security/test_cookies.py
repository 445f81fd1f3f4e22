"""Cookies."""

import pytest
from fastapi import Response

from serve_app.security.cookies import access_cookie_name, clear_cookies, refresh_cookie_name, set_cookies


@pytest.mark.parametrize(("secure", "prefix"), [(True, "__Host-"), (False, "")])
def test_names(secure: bool, prefix: str):
    assert access_cookie_name(secure=secure) == f"{prefix}mobula_access"
    assert refresh_cookie_name(secure=secure) == f"{prefix}mobula_refresh"


def test_set_and_cleared_alike():
    response = Response()
    set_cookies(response, access="a", access_max_age_s=60, refresh="r", refresh_max_age_s=600, secure=True)
    clear_cookies(response, secure=True)
    cookies = response.headers.getlist("set-cookie")
    assert len(cookies) == 4
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
    assert [cookie.partition("=")[0] for cookie in cookies[:2]] == [cookie.partition("=")[0] for cookie in cookies[2:]]
    assert "Max-Age=0" in cookies[2]
