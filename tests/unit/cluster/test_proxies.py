"""Who may say on whose behalf it asks."""

import pytest

from cluster import proxies
from cluster.proxies import Networks
from cluster.settings import Settings


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


def test_balancers_that_haproxy_believes_are_believed_here_also_seen_through_a_dual_stack_listener() -> None:
    trusted = Networks(proxies.trusted(settings(forwarded_for_from=["10.0.0.5", "172.16.0.0/24", "2001:db8::/32"])))
    for address in (
        "127.0.0.1",
        "::1",
        "10.0.0.5",
        "::ffff:10.0.0.5",
        "172.16.0.9",
        "::ffff:172.16.0.9",
        "2001:db8::1",
    ):
        assert address in trusted
    for address in ("10.0.0.6", "::ffff:10.0.0.6", "172.16.1.9", "2001:db9::1", "unix", "", None):
        assert address not in trusted


def test_memory_of_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "KEPT_ADDRESSES", 2)
    trusted = Networks(["10.0.0.0/8"])
    assert [f"10.0.0.{number}" in trusted for number in range(4)] == [True] * 4
    assert len(trusted._known) == 2


def test_the_token_follows_from_the_secret_key_alone() -> None:
    one = proxies.token(settings(secret_key="one"))
    assert one == proxies.token(settings(secret_key="one", http_port=9))
    assert one != proxies.token(settings(secret_key="two"))
    assert "one" not in one
    assert proxies.token(settings(secret_key="")) == ""
