"""The file of namespaces, and whether the running processes have what it says."""

import json
import subprocess
import sys

from cluster.settings import ROOT, Settings
from cluster.stack.checks import Finding
from cluster.stack.waiting import DIRECT


def namespaces_file(settings: Settings) -> list[Finding]:
    """One finding per mistake, or the version."""
    done = subprocess.run(
        [sys.executable, "-m", "actors.namespaces.checking", str(settings.namespaces_file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return [Finding("ok", f"namespaces are valid (version {done.stdout.strip()})")]
    said = done.stdout.strip() or done.stderr.strip().splitlines()[-1]
    remedy = "running processes keep the rules that they have"
    return [Finding("error", line, remedy) for line in said.splitlines()]


def in_force(api: str, settings: Settings) -> list[Finding]:
    """The file, and whether the realtime application behind this address has its rules."""
    findings = namespaces_file(settings)
    if findings[0].level != "ok":
        return findings
    try:
        with DIRECT.open(f"{api}/connection/health", timeout=5) as answer:
            running = json.load(answer)["namespaces"]
    except (OSError, ValueError, KeyError, TypeError) as reason:
        return [*findings, Finding("warning", f"the realtime application does not say which it has: {reason}")]
    if running["mistakes"]:
        what = f"the running processes found {running['mistakes']} mistakes in the namespaces"
        return [*findings, Finding("error", what, "./mobula logs realtime: search for 'namespaces'")]
    if f"version {running['version']})" not in findings[0].what:
        what = f"the running processes have version {running['version']} of the namespaces"
        return [*findings, Finding("warning", what, "they look every second: ask again")]
    return findings
