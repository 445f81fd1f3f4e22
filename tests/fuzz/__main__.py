"""`python -m tests.fuzz NAME [libFuzzer options] CORPUS`: atheris looks for bytes that break a target, and says which.

What it learned is kept in CORPUS, so the next run goes on from there. `./mobula fuzz` runs all targets one by one.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["actors.protocol", "serve_app.realtime"]):
    from tests.fuzz.targets import SEEDS, TARGETS


def main() -> None:
    """Fuzz one target until it breaks or the time is over. The exit status is libFuzzer's."""
    name, *options, corpus = sys.argv[1:]
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (folder / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, corpus], TARGETS[name])
    atheris.Fuzz()


main()
