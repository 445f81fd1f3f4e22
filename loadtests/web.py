"""`./mobula load web`: Locust with its web page, on loopback, aimed at the running stack."""

import os
import sys
from collections.abc import Sequence

from loadtests.smoke import LOCUSTFILE
from loadtests.stack import Stack


def command(arguments: Sequence[str]) -> list[str]:
    """The Locust command line; `arguments` are passed on to Locust and win."""
    options = ["-f", str(LOCUSTFILE), "--host", Stack().url, "--web-host", "127.0.0.1"]
    return [sys.executable, "-m", "locust", *options, *arguments]


def main() -> None:
    """Become Locust."""
    argv = command(sys.argv[1:])
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main()
