"""`python -m cluster.seed --scale small`: demo data, through db's own command.

The room below must not import the one above, so the function is found by its name in cluster/names.py.
"""

import argparse
import asyncio
import importlib
import inspect
import sys
from collections.abc import Sequence

from cluster import names
from cluster.settings import get_settings

SCALES = ("small", "medium", "large")


def main(arguments: Sequence[str] | None = None) -> int:
    """Seed the database of the settings. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cluster.seed")
    parser.add_argument("--scale", choices=SCALES, default="small")
    options = parser.parse_args(arguments)
    if get_settings().environment == "production":
        print("refusing to put demo data and demo accounts into production", file=sys.stderr)
        return 2
    module, _, attribute = names.SEED_IMPORT_PATH.partition(":")
    result = getattr(importlib.import_module(module), attribute)(options.scale)
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    print(result if result is not None else f"{options.scale} demo data")
    return 0


if __name__ == "__main__":
    sys.exit(main())
