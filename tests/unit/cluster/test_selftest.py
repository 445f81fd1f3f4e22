"""The self-test is quiet about the pinned Ray and speaks about a planted change."""

import pytest

from cluster import selftest


def test_nothing_has_changed_in_the_pinned_versions() -> None:
    assert selftest.findings() == []


def test_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(selftest.PINNED, "ray", "2.59.0")
    assert selftest.findings() == ["ray is 2.60.0, this release is made for 2.59.0"]


def test_a_changed_haproxy_template_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    text = selftest.generated_configuration().replace("frontend http_frontend", "frontend web")
    monkeypatch.setattr(selftest, "generated_configuration", lambda: text)
    (finding,) = selftest.findings()
    assert "TemplateChanged" in finding
    assert "http_frontend" in finding


def test_a_public_listener_in_the_template_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    text = selftest.generated_configuration() + "listen extra\n  bind *:9999\n  mode http\n"
    monkeypatch.setattr(selftest, "generated_configuration", lambda: text)
    (finding,) = selftest.findings()
    assert finding == "HAProxy would listen on every interface: bind *:9999"


def test_a_hook_that_is_gone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private.node import Node
    from ray.serve._private import replica

    monkeypatch.delattr(Node, "start_api_server")
    monkeypatch.delattr(replica, "add_port_to_grpc_server")
    assert selftest.findings() == [
        "ray._private.node.Node has no start_api_server",
        "a replica's gRPC server listens on every interface",
    ]


def test_arrow_serialisers_of_another_name_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private import arrow_serialization

    monkeypatch.delattr(arrow_serialization, "_register_custom_datasets_serializers")
    (finding,) = selftest.findings()
    assert "every actor imports pyarrow" in finding
