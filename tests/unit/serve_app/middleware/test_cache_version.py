"""Cache versions: named by writes, echoed by reads."""

import asyncio

import pytest

from serve_app.middleware.cache_version import CacheVersionMiddleware, note_version, version_wanted
from tests.fakes.asgi import Answer, Exchange


class Writing(Answer):
    """A handler whose transactions invalidate, in tasks of their own like `Database` runs them."""

    def __init__(self, *versions: str) -> None:
        super().__init__()
        self._versions = versions

    async def __call__(self, *arguments: object) -> None:
        async def invalidate(version: str) -> None:
            note_version(version)

        await asyncio.gather(*(invalidate(version) for version in self._versions))
        await super().__call__(*arguments)


async def through(app: Answer, method: str) -> Exchange:
    exchange = Exchange(method=method)
    return await exchange.through(CacheVersionMiddleware(app))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_write_names_its_invalidation(method: str):
    assert (await through(Writing("0:aaaaaaaa:7"), method)).headers["cache-version"] == "0:aaaaaaaa:7"


async def test_of_several_the_newest_of_each_shard_is_named():
    answer = await through(Writing("0:aaaaaaaa:7,1:bbbbbbbb:2", "0:aaaaaaaa:9"), "POST")
    assert answer.headers["cache-version"] == "0:aaaaaaaa:9,1:bbbbbbbb:2"


@pytest.mark.parametrize(("method", "versions"), [("GET", ["0:aaaaaaaa:7"]), ("POST", []), ("POST", [""])])
async def test_reads_and_unacknowledged_writes_name_nothing(method: str, versions: list[str]):
    assert "cache-version" not in (await through(Writing(*versions), method)).headers


async def test_outside_a_request_nothing_happens():
    note_version("0:aaaaaaaa:7")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, ""),
        ("0:aaaaaaaa:7", "0:aaaaaaaa:7"),
        ("0:aaaaaaaa:7, 1:bbbbbbbb:2", "0:aaaaaaaa:7,1:bbbbbbbb:2"),
        ("x", ""),
        ("0:AAAAAAAA:7", ""),
        ("0:aaaaaaaa:" + "9" * 20, ""),
        (",".join(["0:aaaaaaaa:7"] * 65), ""),
    ],
)
def test_what_names_no_invalidation_is_ignored(given: str | None, wanted: str):
    headers = [] if given is None else [(b"cache-version", given.encode())]
    assert version_wanted({"type": "http", "headers": headers}) == wanted
