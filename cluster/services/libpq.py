"""What DATABASE_URL says behind its `?`, for programs that use libpq, and what the operator's shell may add to it.

asyncpg, which serves the application, takes what it does not know itself as a setting of the session (`?jit=off`).
libpq refuses that, and wants it among its `options`.
"""

import re
from collections.abc import Mapping, MutableMapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

VARIABLES = {
    **{name: f"PG{name.upper()}" for name in ("options", "passfile", "service", "gssencmode", "krbsrvname", "gsslib")},
    **{name: f"PG{name.upper()}" for name in ("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir")},
    **{name: f"PG{name.replace('_', '').upper()}" for name in ("channel_binding", "require_auth", "sslnegotiation")},
    **{"application_name": "PGAPPNAME", "connect_timeout": "PGCONNECT_TIMEOUT", "servicefile": "PGSERVICEFILE"},
    **{"client_encoding": "PGCLIENTENCODING", "target_session_attrs": "PGTARGETSESSIONATTRS"},
    **{"ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION", "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION"},
}
"""Parameters of a database's address, and the variables in which libpq takes them."""

KEYWORDS = frozenset((*VARIABLES, "host", "port", "user", "password", "dbname", "sslpassword"))
"""What libpq takes in an address."""

FOREIGN = frozenset(
    f"PG{name}"
    for name in (
        *("HOSTADDR", "SERVICE", "SERVICEFILE", "SYSCONFDIR", "LOCALEDIR", "CONNECT_TIMEOUT", "LOADBALANCEHOSTS"),
        *("OPTIONS", "APPNAME", "CLIENTENCODING", "TZ", "DATESTYLE", "GEQO", "OAUTHDEBUG", "REALM"),
        *("REQUIREAUTH", "REQUIREPEER", "REQUIRESSL", "CHANNELBINDING", "GSSENCMODE", "GSSDELEGATION"),
        *("SSLCOMPRESSION", "SSLCERTMODE", "SSLSNI", "SSLCRLDIR", "MINPROTOCOLVERSION", "MAXPROTOCOLVERSION"),
    )
)
"""Variables that libpq takes and the application's own driver does not, or (a service) not in the same way: exports and
psql would speak to another server than it, or in another way."""


def forget_foreign(environ: MutableMapping[str, str]) -> None:
    """Leave of libpq's variables those that mean the same to every program of ours: `PGPASSWORD`, `PGSSLMODE`, …

    They fill what DATABASE_URL leaves open; the embedded server's address leaves nothing open.
    """
    for name in FOREIGN & environ.keys():
        del environ[name]


def options(given: str, session: Mapping[str, str]) -> str:
    """`options` as libpq takes them: settings of the session, beside what stands there already."""
    return " ".join([*filter(None, [given]), *(f"-c {name}={_escaped(value)}" for name, value in session.items())])


def uri(url: str) -> str:
    """The address in libpq's own words."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    session = {name: value for name, value in asked.items() if name not in KEYWORDS}
    if not session:
        return url
    kept = {name: value for name, value in asked.items() if name in KEYWORDS}
    kept["options"] = options(kept.get("options", ""), session)
    return urlunsplit(parts._replace(query=urlencode(kept, quote_via=quote)))


def _escaped(value: str) -> str:
    return re.sub(r"([\\\s])", r"\\\1", value)
