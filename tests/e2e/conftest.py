"""What the browser and SDK tests share: the running stack, people, browsers, and a screenshot when a test fails."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.fixtures.people import Person
from tests.fixtures.sdk import SDKS, Sdk
from tests.fixtures.stack import RunningStack
from tests.fixtures.visitors import Visitor, Welcome, arrive, launched

FIRST_TEST_S = 600
RESULTS = Path(__file__).resolve().parents[2] / "test-results"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let fixtures know how the test ended."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.when == "call":
        item.stash[FAILED] = report.failed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits for the whole stack to start; that counts towards its time."""
    for item in items:
        if "e2e" in item.path.parts and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(FIRST_TEST_S))


FAILED = pytest.StashKey[bool]()


def public_url(stack: RunningStack) -> str:
    """What a person types: `localhost`, not an address."""
    return f"http://localhost:{stack.ports.frontend}"


@pytest.fixture
async def ada(stack_page: RunningStack) -> AsyncIterator[Person]:
    person = await Person.register(stack_page.http_url)
    yield person
    await person.close()


@pytest.fixture
async def bob(stack_page: RunningStack) -> AsyncIterator[Person]:
    person = await Person.register(stack_page.http_url)
    yield person
    await person.close()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as found:
        yield found


@pytest.fixture
async def welcome(request: pytest.FixtureRequest, browser: Browser, stack_page: RunningStack) -> AsyncIterator[Welcome]:
    """Opens a browser context for each new visitor; what they saw last is kept when the test fails."""
    visitors: list[Visitor] = []

    async def one() -> Visitor:
        visitor = await arrive(browser, public_url(stack_page))
        visitors.append(visitor)
        return visitor

    yield one
    failed = request.node.stash.get(FAILED, False)
    for number, visitor in enumerate(visitors, 1):
        if failed:
            await visitor.screenshot(RESULTS, f"{request.node.name}-{number}")
        await visitor.context.close()
    if not failed:
        assert [fault for visitor in visitors for fault in visitor.faults] == []


@pytest.fixture
async def operator(welcome: Welcome, stack_page: RunningStack) -> Visitor:
    """The demo account that looks after the system, signed in."""
    visitor = await welcome()
    await visitor.sign_in("operator@mobula.localhost", stack_page.demo_password)
    return visitor


@pytest.fixture
async def admin(welcome: Welcome, stack_page: RunningStack) -> Visitor:
    """The demo account that may do everything, signed in."""
    visitor = await welcome()
    await visitor.sign_in("admin@mobula.localhost", stack_page.demo_password)
    return visitor


@pytest.fixture(params=sorted(SDKS))
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    """Each unmodified SDK in turn."""
    client = SDKS[request.param]()
    yield client
    await client.close()
