"""The POSIX script at the root, where Python, pip, uv and Node are scripts that write down what they did."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.settings import ROOT

TOOLS = ("sh", "cat", "cksum", "dirname", "rm", "mkdir", "cp", "chmod", "echo", "readlink")
"""What the script may use of the system; nothing else is on its PATH."""

PYTHON = """#!/bin/sh
case "$1 $2 $3" in
"-P -m cluster.cli")
    shift 3; echo "run $*" >>"$CALLS"
    [ ! -e "$TOOLBOX/real-python" ] || exec "$TOOLBOX/real-python" -P -m cluster.cli "$@"
    exit 7 ;;
esac
[ "$1 $2" != "-P -c" ] || { [ ! -e "$TOOLBOX/cannot-import" ]; exit; }
[ "$1" != -I ] || shift  # what it does alone, it does whatever lies in the directory
case "$1 $2" in
"-c "*) exit 0 ;;
"--version "*) echo "Python 3.12.0"; exit 0 ;;
"-m venv")
    echo "venv" >>"$CALLS"; mkdir -p "$3/bin"; cp "$0" "$3/bin/python"
    [ ! -e "$TOOLBOX/interrupt" ] || kill -TERM $PPID  # an INT is ignored below a shell that ignores it
    [ ! -e "$TOOLBOX/no-ensurepip" ]; exit ;;
"-m pip")
    if [ "$3" = --version ]; then [ ! -e "$TOOLBOX/no-pip" ]; exit; fi
    echo "pip" >>"$CALLS"; cp "$TOOLBOX/uv" "${0%python}uv"; chmod 755 "${0%python}uv"; exit 0 ;;
"- "*) exit 0 ;;
esac
exit 99
"""
UV = """#!/bin/sh
echo "$1 $2" >>"$CALLS"
case " $* " in
*" --python ${0%uv}python "*) ;;
*) echo "into another Python" >>"$CALLS" ;;
esac
[ ! -e "$TOOLBOX/registry-is-away" ]
"""


@dataclass
class Checkout:
    root: Path
    toolbox: Path

    def run(self, *arguments: str, cwd: Path | None = None, **variables: str) -> "subprocess.CompletedProcess[str]":
        env = {"PATH": str(self.toolbox / "bin"), "CALLS": str(self.toolbox / "calls"), "TOOLBOX": str(self.toolbox)}
        env |= variables
        return subprocess.run(
            [str(self.root / "mobula"), *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False
        )

    def calls(self) -> list[str]:
        """What was done since the last look."""
        file = self.toolbox / "calls"
        found = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return found

    def tool(self, name: str, text: str) -> None:
        file = self.toolbox / name
        file.write_text(text)
        file.chmod(0o755)

    def node(self, version: str) -> None:
        self.tool("bin/node", f"#!/bin/sh\necho {version}\n")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "a checkout", tmp_path / "toolbox")
    made.root.mkdir()
    (made.toolbox / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "mobula", made.root)
    (made.root / "requirements-dev.lock").write_text("one==1\n")
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None
        (made.toolbox / "bin" / name).symlink_to(found)
    made.tool("bin/python3.12", PYTHON)
    made.tool("uv", UV)
    made.node("v20.19.0")
    return made


def test_everything_is_installed_once_and_the_command_gets_its_arguments(checkout: Checkout, tmp_path: Path) -> None:
    first = checkout.run("up", "-d", "two words", cwd=tmp_path)
    assert checkout.calls() == ["venv", "pip", "pip sync", "run up -d two words"]
    assert first.returncode == 7, "the command's own status"
    again = checkout.run("status")
    assert checkout.calls() == ["run status"]
    assert again.stderr == ""


def test_a_command_is_its_own_checkout_s_wherever_it_is_called_from(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.toolbox / "real-python").symlink_to(sys.executable)
    elsewhere = tmp_path / "another checkout"
    for root, said in ((checkout.root, "this one"), (elsewhere, "the other one")):
        room = root / "cluster" / "cli"
        room.mkdir(parents=True)
        (root / "cluster" / "__init__.py").touch()
        (room / "__init__.py").touch()
        (room / "__main__.py").write_text(f"import ssl\nprint({said!r})\n")
    (elsewhere / "ssl.py").write_text("raise SystemExit('a stray file')\n")
    assert checkout.run("down", cwd=elsewhere).stdout == "this one\n"
    (elsewhere / "ssl.py").unlink()
    assert checkout.run("down", PYTHONPATH=str(elsewhere)).stdout == "this one\n"


def test_through_links_it_is_still_the_checkout_that_it_lies_in(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "relative").symlink_to("../a checkout/mobula")
    (tmp_path / "mobula").symlink_to(tmp_path / "bin" / "relative")
    for link in (tmp_path / "mobula", tmp_path / "bin" / "relative"):
        env = {"PATH": str(checkout.toolbox / "bin"), "CALLS": str(checkout.toolbox / "calls")}
        env["TOOLBOX"] = str(checkout.toolbox)
        done = subprocess.run([str(link), "status"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 7, done.stderr
    assert (checkout.root / ".venv").is_dir()
    assert not list(tmp_path.glob(".venv"))


def test_a_changed_lock_is_installed_again_and_nothing_else(checkout: Checkout) -> None:
    checkout.run("doctor")
    checkout.calls()
    (checkout.root / "requirements-dev.lock").write_text("one==2\n")
    checkout.run("doctor")
    assert checkout.calls() == ["pip sync", "run doctor"]


def test_packages_of_the_application_are_installed_after_the_locked_ones_and_again_when_they_change(
    checkout: Checkout,
) -> None:
    ours = checkout.root / "requirements-app.txt"
    ours.write_text("-e ./docs/examples/projects\n")
    checkout.run("doctor")
    assert checkout.calls() == ["venv", "pip", "pip sync", "pip install", "run doctor"]
    checkout.run("doctor")
    assert checkout.calls() == ["run doctor"]
    ours.write_text("other==1\n")
    checkout.run("doctor")
    assert checkout.calls() == ["pip sync", "pip install", "run doctor"]
    ours.unlink()
    checkout.run("doctor")
    assert checkout.calls() == ["pip sync", "run doctor"], "what is no longer wanted is removed"


def test_packages_of_the_application_that_cannot_be_installed_are_named_and_tried_again(checkout: Checkout) -> None:
    (checkout.root / "requirements-app.txt").write_text("no-such-package\n")
    checkout.tool("uv", UV.replace("[ ! -e", '[ "$2" != install ] || exit 1\n[ ! -e'))
    for _ in range(2):
        failed = checkout.run("doctor")
        assert failed.returncode == 1
        assert "requirements-app.txt cannot be installed" in failed.stderr
        assert "run doctor" not in checkout.calls()


@pytest.mark.parametrize("command", ["down", "status", "logs"])
def test_a_stack_is_looked_at_and_stopped_with_the_packages_that_it_was_started_with(
    checkout: Checkout, command: str
) -> None:
    checkout.run("up")
    checkout.calls()
    (checkout.root / "requirements-dev.lock").write_text("one==2\n")
    (checkout.root / "requirements-app.txt").write_text("other==1\n")
    (checkout.toolbox / "registry-is-away").touch()
    done = checkout.run(command, "-f")
    assert (done.returncode, done.stderr) == (7, "")
    assert checkout.calls() == [f"run {command} -f"]
    assert checkout.run("up").returncode == 1, "what starts something has what the lock says"
    assert checkout.calls() == ["pip sync"]
    assert checkout.run(command).returncode == 7, "also when that could not be installed"
    (checkout.toolbox / "registry-is-away").unlink()
    checkout.calls()
    checkout.run("up")
    assert checkout.calls() == ["pip sync", "pip install", "run up"]


@pytest.mark.parametrize("command", ["down", "status", "logs"])
def test_a_command_that_older_packages_cannot_run_has_them_installed(checkout: Checkout, command: str) -> None:
    checkout.run("up")
    checkout.calls()
    (checkout.root / "requirements-dev.lock").write_text("one==2\n")
    (checkout.toolbox / "cannot-import").touch()
    checkout.run(command)
    assert checkout.calls() == ["pip sync", f"run {command}"]


def test_an_installation_that_failed_is_said_and_tried_again(checkout: Checkout) -> None:
    (checkout.toolbox / "registry-is-away").touch()
    failed = checkout.run("status")
    assert failed.returncode == 1
    assert "cannot be installed" in failed.stderr
    assert "run status" not in checkout.calls()
    (checkout.toolbox / "registry-is-away").unlink()
    checkout.run("status")
    assert checkout.calls() == ["pip sync", "run status"]


def test_an_environment_that_could_not_be_made_or_was_interrupted_is_made_again(checkout: Checkout) -> None:
    for trouble, status in (("no-ensurepip", 1), ("interrupt", 130)):
        (checkout.toolbox / trouble).touch()
        assert checkout.run("status").returncode == status
        assert checkout.calls() == ["venv"]
        assert not (checkout.root / ".venv").exists()
        (checkout.toolbox / trouble).unlink()
    assert checkout.run("status").returncode == 7
    assert checkout.calls() == ["venv", "pip", "pip sync", "run status"]


def test_an_environment_without_pip_and_uv_is_made_anew(checkout: Checkout) -> None:
    checkout.run("status")
    (checkout.root / ".venv" / "bin" / "uv").unlink()
    (checkout.root / ".venv" / ".mobula-lock").unlink()
    (checkout.toolbox / "no-pip").touch()
    checkout.calls()
    checkout.run("status")
    assert checkout.calls() == ["venv", "pip", "pip sync", "run status"]


def test_a_missing_python_is_said_with_the_ways_out(checkout: Checkout) -> None:
    (checkout.toolbox / "bin" / "python3.12").unlink()
    found = checkout.run("up")
    assert found.returncode == 1
    assert "Python 3.11, 3.12, 3.13 or 3.14" in found.stderr
    assert "MOBULA_PYTHON=" in found.stderr
    assert not (checkout.root / ".venv").exists()


def test_a_python_that_is_too_old_or_has_no_venv_is_passed_over(checkout: Checkout) -> None:
    checkout.tool("bin/python3.13", "#!/bin/sh\nexit 1\n")
    assert checkout.run("status").returncode == 7
    assert checkout.calls()[0] == "venv"


def test_a_named_python_is_taken(checkout: Checkout) -> None:
    checkout.tool("mine", PYTHON)
    (checkout.toolbox / "bin" / "python3.12").unlink()
    env = {"PATH": str(checkout.toolbox / "bin"), "CALLS": str(checkout.toolbox / "calls")}
    env |= {"TOOLBOX": str(checkout.toolbox), "MOBULA_PYTHON": str(checkout.toolbox / "mine")}
    done = subprocess.run([str(checkout.root / "mobula"), "status"], env=env, capture_output=True, check=False)
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("node", "said"),
    [("", "Node.js is missing"), ("v18.20.1", "Node 18.20.1 is too old"), ("v20.18.3", "Node 20.18.3 is too old")],
)
@pytest.mark.parametrize("command", ["up", "dev"])
def test_a_node_that_would_not_do_is_said_before_anything_is_installed(
    checkout: Checkout, command: str, node: str, said: str
) -> None:
    (checkout.toolbox / "bin" / "node").unlink()
    if node:
        checkout.node(node)
    found = checkout.run(command, "-d")
    assert found.returncode == 1
    assert said in found.stderr
    assert f"./mobula {command} --no-frontend" in found.stderr
    assert checkout.calls() == ["venv"]
    assert checkout.run(command, "--no-frontend").returncode == 7
    assert checkout.run("status").returncode == 7, "what needs no Node is not held up"


@pytest.mark.parametrize("version", ["v20.19.0", "v22.1.0", "v24.0.0"])
def test_a_node_that_will_do_is_let_pass(checkout: Checkout, version: str) -> None:
    checkout.node(version)
    assert checkout.run("up").returncode == 7
