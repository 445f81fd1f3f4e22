"""The recipe of CONTRIBUTING.md, followed: each file of the worked example exists and is known where it says."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPE = re.compile(r"^\| (\d+)\. [^|]+ \| `([^`]+)` \| (?:`([^`]+)`|–) \|$", re.MULTILINE)
STEPS = RECIPE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
PUBLIC_TESTS = ("tests/fixtures/waiting.py", "tests/fixtures/client.py", "tests/factories/orders.py")


def test_the_recipe_is_there() -> None:
    assert [int(number) for number, _, _ in STEPS] == list(range(1, 16))


@pytest.mark.parametrize(("number", "path", "known_in"), STEPS, ids=[step[0] for step in STEPS])
def test_step(number: str, path: str, known_in: str) -> None:
    file = ROOT / path
    assert file.is_file(), f"step {number} names {path}, which does not exist"
    assert "order" in file.read_text(encoding="utf-8").lower(), f"step {number}: {path} is not about orders"
    if known_in:
        text = (ROOT / known_in).read_text(encoding="utf-8")
        assert "orders" in text, f"step {number}: {known_in} does not know {path}"


def test_services_take_the_session_first() -> None:
    """What the recipe says of services is true of the worked example."""
    [service] = [path for _, path, _ in STEPS if path.endswith("orders/service.py")]
    module = ast.parse((ROOT / service).read_text(encoding="utf-8"))
    public = [node for node in module.body if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_")]
    assert public
    assert {function.args.args[0].arg for function in public} == {"session"}


@pytest.mark.parametrize("path", PUBLIC_TESTS)
def test_fixtures_that_applications_may_use_exist(path: str) -> None:
    assert (ROOT / path).is_file()
