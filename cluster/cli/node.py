"""Node and the front end's packages: found, checked, installed once per lock file."""

import hashlib
import re
import shutil
import subprocess

from cluster.cli.toolbox import FRONTEND, Outcome, Step, run
from cluster.services.errors import ServiceError

OLDEST = (20, 19)


def check_node() -> str:
    """The version of Node. Raises ServiceError with one sentence when it is missing or too old."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise ServiceError("Node 20.19 or later with npm is needed for the front end and was not found: install it.")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    found = re.match(r"v(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        raise ServiceError(f"Node 20.19 or later is needed for the front end, this is {version or 'unknown'}.")
    return version


def packages_installed() -> bool:
    """Whether node_modules is what the lock file says."""
    stamp = FRONTEND / "node_modules" / ".mobula-installed"
    return stamp.exists() and stamp.read_text() == _wanted()


def install_packages() -> Outcome | None:
    """`npm ci`, unless it has been done for this lock file. Raises ServiceError when Node is missing."""
    check_node()
    if packages_installed():
        return None
    outcome = run(Step("front end packages (npm ci)", ["npm", "ci", "--no-audit", "--no-fund"], FRONTEND))
    if outcome.status == 0:
        (FRONTEND / "node_modules" / ".mobula-installed").write_text(_wanted())
    return outcome


def _wanted() -> str:
    return hashlib.sha256((FRONTEND / "package-lock.json").read_bytes()).hexdigest()
