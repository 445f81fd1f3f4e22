"""What a benchmark says: figures with a unit, printed as a table, written as JSON with the machine they came from."""

import json
import math
import os
import platform
import subprocess
import time
from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


def percentile(values: "array[int] | list[int]", fraction: float) -> float:
    """The smallest value that at least `fraction` of the values do not exceed; NaN without values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return float(ordered[max(0, math.ceil(len(ordered) * fraction) - 1)])


@dataclass(frozen=True)
class Figure:
    """One measured value. `goal` is what DESIGN §7 wants to reach, as text, or empty."""

    name: str
    value: float
    unit: str
    goal: str = ""


@dataclass
class Report:
    """The outcome of one benchmark."""

    name: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, goal: str = "") -> None:
        """Add a figure."""
        self.figures.append(Figure(name, value, unit, goal))

    def latency(self, name: str, samples_us: "array[int]", *, p50_goal: str = "", p99_goal: str = "") -> None:
        """Add the median and the 99th percentile of samples in microseconds."""
        self.add(f"{name} p50", percentile(samples_us, 0.50) / 1000, "ms", p50_goal)
        self.add(f"{name} p99", percentile(samples_us, 0.99) / 1000, "ms", p99_goal)

    def text(self) -> str:
        """A table for people."""
        width = max([len(figure.name) for figure in self.figures], default=0)
        lines = [f"{self.name}"]
        for figure in self.figures:
            goal = f"   goal {figure.goal}" if figure.goal else ""
            lines.append(f"  {figure.name:<{width}}  {_readable(figure.value):>10} {figure.unit:<14}{goal}".rstrip())
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The report and the machine it was made on."""
        return {
            "name": self.name,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "commit": _commit(),
            "machine": machine(),
            "figures": [asdict(figure) for figure in self.figures],
            "notes": self.notes,
        }

    def write(self, folder: Path = RESULTS) -> Path:
        """Write JSON; a file per run, never overwritten. Copy one to `baselines/` to commit it."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
        path.write_text(json.dumps(self.as_dict(), indent=2) + "\n", encoding="utf-8")
        return path


def _readable(value: float) -> str:
    if value != value:  # NaN
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def machine() -> dict[str, Any]:
    """Enough to know which baselines may be compared."""
    model = platform.processor()
    try:
        lines: Iterable[str] = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_1m": os.getloadavg()[0],
    }


def _commit() -> str:
    found = subprocess.run(
        ["git", "-C", str(HERE), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()
