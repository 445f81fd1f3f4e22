"""`python -m actors.namespaces.checking FILE`: the version of a file of namespaces, or its mistakes, one a line."""

import sys
from collections.abc import Sequence
from pathlib import Path

from actors.protocol.namespaces import NamespaceMistake, Namespaces


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0 and a version, 1 and mistakes."""
    try:
        namespaces = Namespaces.load(Path(arguments[0]))
    except NamespaceMistake as reason:
        sys.stdout.write("\n".join(reason.mistakes) + "\n")
        return 1
    except (OSError, UnicodeDecodeError) as reason:
        sys.stdout.write(f"{arguments[0]}: {reason}\n")
        return 1
    sys.stdout.write(namespaces.version + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
