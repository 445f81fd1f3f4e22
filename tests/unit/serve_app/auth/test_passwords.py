"""Refusing weak passwords."""

from types import SimpleNamespace

import pytest

from serve_app.auth.passwords import PasswordTooWeak, refuse_weak_password
from serve_app.security.passwords import PasswordHasher


async def test_says_why_and_where():
    hasher = PasswordHasher(memory_kib=256, time_cost=1, threads=1)
    resources = SimpleNamespace(passwords=hasher)
    await refuse_weak_password(resources, "blue kettle on fire", context=(), field="password")  # type: ignore[arg-type]
    with pytest.raises(PasswordTooWeak) as refused:
        await refuse_weak_password(resources, "passwordpassword", context=(), field="new_password")  # type: ignore[arg-type]
    assert refused.value.field == "new_password"
    assert "common" in refused.value.message
    assert refused.value.details["score"] <= 2
    hasher.close()
