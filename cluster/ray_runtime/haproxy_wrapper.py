"""What Ray Serve starts instead of HAProxy: corrects the configuration that Serve generated, then becomes HAProxy.

Runs as a script with the standard library only (`python -I -S`), because it sits on HAProxy's start and reload path.
`exec` keeps the pid, so the pid that goes into every request's header is HAProxy's own. Together with the edge, a name
that each start of a node makes anew, it tells a socket's generation in the whole cluster (DESIGN §5, 19 and 20).

Usage: haproxy_wrapper.py OPTIONS.json -db -f haproxy.cfg …
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MARK = "# corrected by Mobula"

GENERATIONS = "generations"
"""Directory beside the options with a file per HAProxy process: its pid as the name; in it its `birth` and the edge it
belongs to."""

LOOPBACK = ("127.0.0.1", "::1")

SERVE_CONTROL_HEADERS = ("x-request-timeout-seconds", "x-request-disconnect-disabled", "serve_multiplexed_model_id")
"""Headers with which a client could steer Serve itself."""


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
"""What replicas answer, were it with 405."""


class TemplateChanged(Exception):
    """The generated configuration is not the one that this wrapper knows."""


def rewrite(text: str, *, pid: int, options: Mapping[str, Any]) -> str:
    """The corrected configuration. Raises TemplateChanged when a place to correct is not found."""
    if text.startswith(MARK):
        text = text.split("\n", 1)[1]

    def replace(pattern: str, replacement: str, *, at_least: int = 1) -> None:
        nonlocal text
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if count < at_least:
            raise TemplateChanged(f"haproxy.cfg has no line like {pattern!r}: Ray's template has changed")

    # One log datagram per request costs more than the request's routing; the applications write the access log.
    replace(r"^ *log \S+ local0 info\n", "")
    # The admin socket can disable servers: the owner's only.
    replace(r"^( *stats socket \S+) mode 666 ", r"\1 mode 600 ")
    # Serve turns HAProxy's 502, 503 and 504 into 500, which no client and no load balancer retries.
    replace(r"^ *errorfile 50[234] .*\n", "", at_least=0)
    # A client that closes politely while its stream is being answered is seen only by `abortonclose`, and not even so
    # once HAProxy has spliced a request's body: it then reads the client no more until it next writes to it.
    replace(r"^( *option abortonclose)$", r"\1")
    replace(r"^ *option splice-request\n", "")
    timeouts = (
        f"    timeout http-request {options['request_timeout_s']}s\n    timeout tunnel {options['tunnel_timeout_s']}s\n"
    )
    replace(r"^( *timeout connect \d+s.*\n)(?= *timeout client)", lambda_free(timeouts))
    # The two unauthenticated pages.
    replace(r"^( *bind) \*?:(\d+)$(?=\n *mode http\n *http-request use-service prometheus)", r"\1 127.0.0.1:\2")
    replace(r"^( *bind) \*:(\d+)$(?=\n *stats enable)", r"\1 127.0.0.1:\2")
    rules = "".join(f"    http-request del-header {name}\n" for name in SERVE_CONTROL_HEADERS)
    unless = unless_trusted(options)
    rules += (
        f"    http-request del-header x-forwarded-for{unless}\n"
        f"    http-request del-header forwarded{unless}\n"
        f"    http-request del-header {options['frontend_header']}\n"
        f"    http-request set-header {options['generation_header']} {options['edge']}-{pid}\n"
        f"{proven(options)}"
        # A sender that may name the client and does so is no client itself, wherever it is.
        "    http-request add-header x-forwarded-for %[src] unless { req.hdr_ip(x-forwarded-for,-1) -m found }\n"
    )
    if options["connections_per_address"]:
        rules += per_address(options["connections_per_address"], [*LOOPBACK, *options["forwarded_from"]])
    # `timeout http-request` is for heads alone. What does not fit a buffer (16 KB) the replica waits for.
    rules += f"    http-request wait-for-body time {options['request_timeout_s']}s\n"
    rules += own_answers(options["request_timeout_s"])
    replace(r"^(frontend http_frontend\n *bind .*\n)", lambda_free(rules))
    return f"{MARK}\n{text}"


def unless_trusted(options: Mapping[str, Any]) -> str:
    """Who may say on whose behalf it asks: known load balancers, and our front end, which knows the token."""
    conditions = []
    if options["forwarded_from"]:
        conditions.append(f"{{ src {' '.join(options['forwarded_from'])} }}")
    if options["frontend_token"]:
        # One token in 64 begins with "-": without `--` HAProxy takes it for an option and does not start.
        conditions.append(f"{{ req.hdr({options['frontend_header']}) -m str -- {options['frontend_token']} }}")
    return f" unless {' || '.join(conditions)}" if conditions else ""


def proven(options: Mapping[str, Any]) -> str:
    """Replicas of other nodes know this HAProxy by a token. Options that an earlier version wrote have none."""
    if not options.get("proxy_token"):
        return ""
    return f"    http-request set-header {options['proxy_header']} {options['proxy_token']}\n"


def per_address(limit: int, exempt: list[str]) -> str:
    """One client address, of IPv6 one /64 (D-253), may hold so many connections. Refused before the request is read,
    with 429 and a hint.

    `exempt` are proxies, whose one address stands for many clients. `track-sc0` counts until the connection ends, and
    the first rule that applies decides: IPv4 written as IPv6, all of which is one /64, is counted as it is.
    """
    detail = "Too many connections from this address."
    body = json_problem(429, "Too Many Requests", "connections_per_address", detail)
    return (
        "    stick-table type ipv6 size 100k expire 60s store conn_cur\n"
        f"    acl from_proxy src {' '.join(exempt)}\n"
        "    tcp-request connection track-sc0 src if !from_proxy { src ::ffff:0:0/96 }\n"
        "    tcp-request connection track-sc0 src,ipmask(32,64) unless from_proxy\n"
        f"    http-request return status 429 content-type application/problem+json hdr retry-after 10 "
        f'hdr cache-control no-store string "{body}" if {{ sc0_conn_cur gt {limit} }}\n'
    )


def own_answers(request_timeout_s: int) -> str:
    """What HAProxy answers by itself, for want of a body or of a replica: problems instead of its HTML pages.

    A method that replicas cannot read is refused here: their parser's answer would be a line of text. Heads that
    HAProxy 2.8 itself cannot read, or not in time, get its page whatever is configured (haproxy/haproxy#3032).
    """
    late = f"The request did not arrive within {request_timeout_s} seconds."
    problems = (
        (400, "Bad Request", "bad_request", "The body is not framed as HTTP says."),
        (408, "Request Timeout", "request_timeout", late),
        (500, "Internal Server Error", "internal_error", "Something went wrong on our side."),
        (501, "Not Implemented", "not_implemented", "This method is not known."),
        (502, "Bad Gateway", "bad_gateway", "The process that was to answer has ended; try again."),
        (503, "Service Unavailable", "unavailable", "No process can answer at the moment."),
        (504, "Gateway Timeout", "gateway_timeout", "The process that was to answer did not."),
    )
    rules = ""
    for status, title, code, detail in problems:
        again = " hdr retry-after 2" if status in (502, 503, 504) else ""
        rules += (
            f"    http-error status {status} content-type application/problem+json{again} hdr cache-control no-store"
            f' string "{json_problem(status, title, code, detail)}"\n'
        )
    return f"    http-request deny deny_status 501 unless {{ method {' '.join(METHODS)} }}\n{rules}"


def json_problem(status: int, title: str, code: str, detail: str) -> str:
    """A problem (RFC 9457) inside a string of HAProxy's configuration."""
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    return json.dumps(body, separators=(",", ":")).replace('"', '\\"')


def record(directory: Path, pid: int, edge: str) -> None:
    """Let the node's agent and `mobula status` know of this process (cluster/ray_runtime/generations.py)."""
    directory.mkdir(mode=0o700, exist_ok=True)
    unfinished = directory / f".{pid}"
    unfinished.write_text(f"{birth(pid)} {edge}")
    unfinished.replace(directory / str(pid))


def birth(pid: int) -> str:
    """What tells a process from others that had or will have its pid, and no step of the wall clock changes.

    The machine's boot and the start in ticks after it; `exec` keeps both. "?" where the kernel does not tell (macOS),
    or when there is no such process.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # After the name, which may hold spaces and parentheses itself, field 3 is the first; `starttime` is field 22.
        return f"{boot}:{Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except OSError:
        return "?"


def lambda_free(addition: str) -> str:
    """A replacement that keeps group 1 and appends text, with backslashes taken literally."""
    return r"\1" + addition.replace("\\", r"\\")


def main(arguments: list[str]) -> None:
    """Correct the configuration named by -f and become HAProxy."""
    options = json.loads(Path(arguments[0]).read_text())
    haproxy = arguments[1:]
    if "-f" in haproxy:
        configuration = Path(haproxy[haproxy.index("-f") + 1])
        corrected = rewrite(configuration.read_text(), pid=os.getpid(), options=options)
        descriptor, name = tempfile.mkstemp(dir=configuration.parent)
        with os.fdopen(descriptor, "w") as out:
            out.write(corrected)
        Path(name).replace(configuration)
        if "-c" not in haproxy:
            record(Path(arguments[0]).parent / GENERATIONS, os.getpid(), options["edge"])
    os.execv(options["binary"], [options["binary"], *haproxy])  # noqa: S606 - arguments are Serve's own


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (TemplateChanged, OSError, ValueError, KeyError) as problem:
        sys.exit(f"mobula: {problem}")
