"""What the browser and SDK tests share: the running stack, people, browsers, and a screenshot when a test fails."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser
from tests.fixtures.running import Running

from tests.fixtures.people import Person
from tests.fixtures.visitors import Visitor, Welcome, arrive, launched

RESULTS = Path(__file__).resolve().parents[2] / "test-results"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let fixtures know how the test ended."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.when == "call":
        item.stash[FAILED] = report.failed


FAILED = pytest.StashKey[bool]()


@pytest.fixture
async def ada(running: Running) -> AsyncIterator[Person]:
    person = await Person.register(running.url)
    yield person
    await person.close()


@pytest.fixture
async def bob(running: Running) -> AsyncIterator[Person]:
    person = await Person.register(running.url)
    yield person
    await person.close()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as found:
        yield found


@pytest.fixture
async def welcome(request: pytest.FixtureRequest, browser: Browser, running: Running) -> AsyncIterator[Welcome]:
    """Opens a browser context for each new visitor; what they saw last is kept when the test fails."""
    visitors: list[Visitor] = []

    async def one() -> Visitor:
        visitor = await arrive(browser, running.frontend_url)
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
