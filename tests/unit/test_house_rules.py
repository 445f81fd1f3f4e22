"""The house rules hold in this checkout, and each rule notices what it forbids."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from tests.fixtures import house as rules
from tests.fixtures.house import House

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def checkout() -> House:
    return House.of_checkout(ROOT)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_checkout_keeps_the_rule(checkout: House, rule: Callable[[House], list[str]]) -> None:
    problems = rule(checkout)
    assert not problems, "\n".join(["", *problems])


def test_checkout_is_not_empty(checkout: House) -> None:
    """A wrong root would make every rule pass."""
    assert PurePosixPath("tests/unit/test_house_rules.py") in checkout.known
    assert len(checkout.paths) > 20


class Planted:
    """Writes a small tree and asks a rule about it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str = "") -> "Planted":
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return self

    def ask(self, rule: Callable[[House], list[str]]) -> list[str]:
        return rule(House.of_directory(self.root))


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return Planted(tmp_path)


BUSY = "def run(x):\n    return x + 1\n"
ACTOR = '''class Counter:
    """Count.

    State:
        None.
    Concurrency:
        None.
    Failure:
        None.
    Restart:
        None.
    """

    def add(self):
        return 1
'''


def test_module_without_a_test_is_noticed(planted: Planted) -> None:
    planted.write("db/orders/service.py", BUSY)
    assert planted.ask(rules.mirrored_tests) == [
        "db/orders/service.py: no tests/<unit|integration|cluster|e2e>/db/orders/test_service.py"
    ]


@pytest.mark.parametrize("tier", rules.TIERS)
def test_a_test_in_any_tier_is_enough(planted: Planted, tier: str) -> None:
    planted.write("db/orders/service.py", BUSY).write(f"tests/{tier}/db/orders/test_service.py")
    assert planted.ask(rules.mirrored_tests) == []


@pytest.mark.parametrize(
    "text",
    [
        "class Order:\n    id: int\n",
        "class Broker(Protocol):\n    def publish(self) -> None:\n        '''Publish.'''\n",
        "class Gone(Exception):\n    def __init__(self, x):\n        super().__init__('')\n        self.x = x\n",
        "LIMIT = 3\n",
    ],
    ids=["model", "protocol", "error", "constant"],
)
def test_declarations_need_no_test(planted: Planted, text: str) -> None:
    planted.write("db/orders/models.py", text)
    assert planted.ask(rules.mirrored_tests) == []


def test_an_initialiser_that_computes_needs_a_test(planted: Planted) -> None:
    planted.write("db/orders/models.py", "class Order:\n    def __init__(self, x):\n        self.x = x + 1\n")
    assert len(planted.ask(rules.mirrored_tests)) == 1


def test_packages_and_migrations_need_no_test(planted: Planted) -> None:
    planted.write("db/__init__.py", BUSY).write("db/migrations/versions/0001_initial.py", BUSY)
    assert planted.ask(rules.mirrored_tests) == []


def test_orphaned_test_is_noticed(planted: Planted) -> None:
    planted.write("tests/unit/db/orders/test_gone.py").write("tests/unit/db/test_session.py").write("db/session.py")
    assert planted.ask(rules.no_orphaned_tests) == ["tests/unit/db/orders/test_gone.py: there is no db/orders/gone.py"]


def test_bare_actor_is_noticed(planted: Planted) -> None:
    planted.write("actors/counters/actor.py", ACTOR.replace("    Failure:\n        None.\n", ""))
    assert planted.ask(rules.actor_docstrings) == [
        "actors/counters/actor.py: class Counter lacks the docstring sections Failure"
    ]


def test_records_and_private_classes_are_no_actors(planted: Planted) -> None:
    planted.write(
        "actors/counters/actor.py",
        "@dataclass(frozen=True)\nclass Entry:\n    n: int\n"
        "class _Private:\n    pass\nclass Lost(Exception):\n    pass\n" + ACTOR,
    )
    assert planted.ask(rules.actor_docstrings) == []


def test_actor_missing_from_the_table_is_noticed(planted: Planted) -> None:
    planted.write("actors/counters/actor.py", ACTOR).write("actors/__init__.py", '"""| `agents.Gone` | 1 |\n"""')
    assert planted.ask(rules.actor_table) == [
        "actors/__init__.py: the table does not name counters.Counter",
        "actors/__init__.py: the table names agents.Gone, which actors/agents/actor.py does not define",
    ]
    planted.write("actors/__init__.py", '"""| `counters.Counter` (hosted) | 1 |\n"""')
    assert planted.ask(rules.actor_table) == []


def test_mistaken_codes_are_noticed(planted: Planted) -> None:
    path = "actors/protocol/codes.py"
    assert planted.ask(rules.protocol_codes) == [f"{path}: is missing"]
    planted.write(path, "X = 1\n")
    assert planted.ask(rules.protocol_codes) == [f"{path}: declares no codes"]
    planted.write(path, 'A = ErrorCode(100, "a")\nB = DisconnectCode(3000, "b")\nC = DisconnectCode(3500, "c")\n')
    assert planted.ask(rules.protocol_codes) == []
    planted.write(path, f'A = ErrorCode(100, "a")\nB = ErrorCode(100, "b")\nC = DisconnectCode(2999, "{"x" * 124}")\n')
    assert planted.ask(rules.protocol_codes) == [
        f"{path}:2: ErrorCode 100 is declared twice",
        f"{path}:3: DisconnectCode 2999 is outside the range of the protocol",
        f"{path}:3: the reason of 2999 does not fit in a close frame",
    ]


@pytest.mark.parametrize("name", ["db/orders/service.py", "frontend/src/app/page.tsx", "frontend/src/lib/x.ts"])
def test_long_module_is_noticed(planted: Planted, name: str) -> None:
    planted.write(name, "x = 1\n" * 500)
    assert planted.ask(rules.module_size) == []
    planted.write(name, "x = 1\n" * 501)
    assert len(planted.ask(rules.module_size)) == 1


def test_generated_module_may_be_long(planted: Planted) -> None:
    for name in ("actors/protocol/client_pb2.py", "frontend/src/lib/api/schema.gen.ts", "frontend/src/schema.d.ts"):
        planted.write(name, "x = 1\n" * 5000)
    assert planted.ask(rules.module_size) == []


@pytest.mark.parametrize(
    "name",
    ["db/utils.py", "db/common/x.py", "serve_app/order_helpers.py", "frontend/src/lib/connectionManager.ts"],
)
def test_name_that_says_nothing_is_noticed(planted: Planted, name: str) -> None:
    planted.write(name)
    assert len(planted.ask(rules.speaking_names)) == 1


def test_name_that_contains_a_banned_word_by_chance_is_fine(planted: Planted) -> None:
    planted.write("db/community.py").write("serve_app/futile.py").write("cluster/managed.py")
    assert planted.ask(rules.speaking_names) == []


@pytest.mark.parametrize("host", rules.REGISTRY_HOSTS)
def test_registry_host_is_noticed(planted: Planted, host: str) -> None:
    planted.write("README.md", f"see https://{host}/project/x")
    assert planted.ask(rules.no_registry_hosts) == [f"README.md: names the registry host {host}"]


def test_address_in_a_lock_file_is_noticed(planted: Planted) -> None:
    planted.write("requirements.lock", "--index-url https://mirror.example/simple\nx==1 --hash=sha256:0\n")
    planted.write("frontend/package-lock.json", '{"resolved": "https://mirror.example/x.tgz"}')
    assert len(planted.ask(rules.no_registry_hosts)) == 2
    planted.write("requirements.lock", "x==1 --hash=sha256:0\n")
    planted.write("frontend/package-lock.json", '{"funding": {"url": "https://example.org"}}')
    assert planted.ask(rules.no_registry_hosts) == []


def test_second_commit_is_noticed(planted: Planted) -> None:
    planted.write("db/session.py", "session.commit()\n").write("db/streams/writer.py", "tx.commit()\n")
    assert planted.ask(rules.one_commit) == []
    planted.write("actors/brokers/durable.py", "async def x(store, batch):\n    await store.commit(batch)\n")
    assert planted.ask(rules.one_commit) == []
    planted.write("serve_app/orders/router.py", "async def x(session):\n    await session.commit()\n")
    assert planted.ask(rules.one_commit) == [
        "serve_app/orders/router.py:2: commits by itself; use Database.transaction()"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.sleep(1)\n",
        "import time as clock\nclock.sleep(1)\n",
        "from asyncio import sleep as nap\nawait nap(0.1)\n",
        "import asyncio\nawait asyncio.sleep(delay)\n",
        "page.wait_for_timeout(1000)\n",
    ],
)
def test_sleeping_test_is_noticed(planted: Planted, text: str) -> None:
    planted.write("tests/unit/test_x.py", text)
    assert len(planted.ask(rules.no_sleeping_tests)) == 1


def test_yielding_and_the_waiting_module_may_sleep(planted: Planted) -> None:
    planted.write("tests/unit/test_x.py", "import asyncio\nawait asyncio.sleep(0)\nawait other.sleep(3)\n")
    planted.write("tests/fixtures/waiting.py", "import asyncio\nawait asyncio.sleep(1)\n")
    assert planted.ask(rules.no_sleeping_tests) == []


def test_package_in_tests_is_noticed(planted: Planted) -> None:
    planted.write("tests/unit/__init__.py").write("db/__init__.py")
    assert planted.ask(rules.no_packages_in_tests) == ["tests/unit/__init__.py: remove it"]


def test_promise_is_noticed(planted: Planted) -> None:
    planted.write("db/x.py", "x = 1  # TO" + "DO: later\n").write("db/y.py", 'y = "a todo list"\n')
    assert planted.ask(rules.no_promises) == ["db/x.py:1: a promise in a comment; do it or open an issue"]
