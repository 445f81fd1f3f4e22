"""The generated files of the repository: how each is made, and whether it is up to date."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cluster.decisions_docs import generated as decision_files
from cluster.settings import ROOT
from cluster.settings_docs import generated as settings_files


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """One file and the module that prints it, or that writes it to the path in its first argument."""

    path: Path
    module: str
    prints: bool

    def render(self) -> bytes:
        """What the file should contain. Raises CalledProcessError when its generator fails."""
        command = [sys.executable, "-m", self.module]
        if self.prints:
            return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / self.path.name
            subprocess.run([*command, str(target)], cwd=ROOT, check=True)
            return target.read_bytes()


FILES = (
    GeneratedFile(ROOT / "openapi.json", "serve_app.openapi", prints=True),
    GeneratedFile(ROOT / "docs" / "frames.schema.json", "actors.protocol.schema", prints=False),
)
"""In the order in which they are made: later ones are made from earlier ones."""


def write_all() -> list[Path]:
    """Bring every generated file up to date; returns those that changed."""
    changed = []
    for path, wanted in _wanted().items():
        if not path.exists() or path.read_bytes() != wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wanted)
            changed.append(path)
    return changed


def stale() -> list[Path]:
    """Generated files that are missing or not what their generators would write."""
    return [path for path, wanted in _wanted().items() if not path.exists() or path.read_bytes() != wanted]


def _wanted() -> dict[Path, bytes]:
    wanted = {path: text.encode() for path, text in (settings_files() | decision_files()).items()}
    wanted.update({file.path: file.render() for file in FILES})
    return wanted


def main() -> int:
    """`python -m cluster.cli.generated`: says which files are stale; exit status 1 if any."""
    late = stale()
    for path in late:
        print(f"{path.relative_to(ROOT)} is not up to date: ./mobula fix")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
