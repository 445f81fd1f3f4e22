"""What keeps production from the people outside: mail that nobody gets, addresses that lead nowhere.

Only starts ask: commands in another shell may know less of the settings, and write to nobody.
"""

from email.utils import parseaddr
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cluster.ray_runtime.loopback import is_loopback

if TYPE_CHECKING:
    from cluster.settings import Settings


def sends_mail(settings: "Settings") -> bool:
    """Whether people get mail."""
    return bool(settings.smtp_host) and not settings.mail_off


def outward_problems(settings: "Settings") -> list[str]:
    """One sentence each; empty when all is well or this is not production."""
    if settings.environment != "production":
        return []
    problems = []
    site = urlsplit(settings.public_url)
    host = site.hostname or ""
    local = is_loopback(host) or host.endswith(".localhost")
    # Without either it is a look at production on this machine, which `up` and `doctor` only warn of.
    if not settings.mail_off and (settings.smtp_host or not local):
        trial = "(MAIL_OFF=true for a trial without mail)"
        if not settings.smtp_host:
            problems.append(f"SMTP_HOST is missing: nobody could replace a forgotten password {trial}")
        sender = parseaddr(settings.mail_from)[1]
        if "@" not in sender or sender.endswith("localhost"):
            problems.append(
                f"MAIL_FROM is {settings.mail_from!r}: mail servers refuse senders that do not exist {trial}"
            )
        if local:
            problems.append(f"PUBLIC_URL is {settings.public_url}: links in mails would lead nowhere {trial}")
    if not local and site.scheme != "https":
        problems.append("PUBLIC_URL must begin with https://: browsers keep production's cookies for nothing else")
    if not local and not settings.realtime_public_url.startswith("wss://"):
        problems.append("REALTIME_PUBLIC_URL must begin with wss://: pages at https:// may connect to nothing else")
    return problems
