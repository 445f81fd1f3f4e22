"""What the operating system refuses, as a sentence with its remedy: an errno alone helps nobody at night."""

import errno
from pathlib import Path

from pydantic import ValidationError

REMEDIES = {
    errno.ENOSPC: ("there is no space left on the disk of {where}", "free some (`du -sh .mobula/*`), and start again"),
    errno.EDQUOT: ("the disk quota is used up at {where}", "free some space, or raise the quota"),
    errno.EROFS: ("{where} is on a read-only file system", "mount it writable, or name another MOBULA_HOME"),
    errno.EACCES: ("{where} may not be read or written by this user", "give it to the user who runs Mobula"),
    errno.EMFILE: ("this process may open no more files", "ulimit -n 65536, or LimitNOFILE= in a systemd unit"),
    errno.ENFILE: ("the machine may open no more files", "raise fs.file-max"),
    errno.ENOMEM: ("no memory is left", "close something, or give the machine or container more memory"),
}


def sentence(problem: BaseException, home: Path) -> str:
    """`problem` for people. `home` is the place meant when the system names none, as with a full disk."""
    if isinstance(problem, ValidationError):
        return _wrong_settings(problem)
    if not isinstance(problem, OSError) or problem.errno not in REMEDIES or not problem.strerror:
        return str(problem) or type(problem).__name__
    if problem.errno == errno.EACCES and not problem.filename:
        return str(problem)  # no file: a port below 1024, or a process of somebody else
    what, remedy = REMEDIES[problem.errno]
    return f"{what.format(where=problem.filename or home)}: {remedy}"


def _wrong_settings(problem: ValidationError) -> str:
    """Every setting that is wrong, by the name that people write, and never its value: it may be a secret."""
    wrong = []
    for one in problem.errors(include_url=False, include_context=False, include_input=False):
        name = "".join(f"{part}".upper() for part in one["loc"][:1])
        wrong.append(f"{name}: {one['msg']}" if name else one["msg"])
    return "; ".join(wrong).replace("Value error, ", "") + " (set in the environment or in .env; docs/settings.md)"
