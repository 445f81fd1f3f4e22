"""Namespaces in force and the processes that host shards, over HTTP."""

from collections.abc import Mapping, Sequence

import httpx
import pytest

from actors.hosts.contract import HostReport
from actors.hosts.survey import HostProcess
from tests.fixtures.client import Api, assert_problem
from tests.fixtures.hub import World

ROOT = "/api/v1/realtime"


@pytest.fixture
async def world(api: Api) -> World:
    world = World()
    api.resources.actors.sessions = world.sessions
    return world


async def test_the_namespaces_in_force_are_those_of_the_processes(
    world: World, operator_client: httpx.AsyncClient
) -> None:
    world.sessions.one_is_silent = True
    answer = (await operator_client.get(f"{ROOT}/namespaces")).json()
    (rules,) = answer["items"]
    assert (rules["version"], rules["nodes"], rules["mistakes"]) == (world.env.namespaces.version, ["hub-1"], [])
    assert {found["name"] for found in rules["items"]} == set(world.env.namespaces.names)
    assert answer["silent"] == ["hub-2"]


async def test_shards_show_their_process_lease_and_buckets(api: Api, operator_client: httpx.AsyncClient) -> None:
    owners: dict[int, int] = dict.fromkeys(range(1024), 0)

    async def survey() -> Sequence[HostProcess]:
        ready = {"brokers/0": True, "sessions/0": True}
        active = HostReport("i", 7, 0, active=True, ready=ready, node="n", lease_s=3.5)
        return [HostProcess(0, 0, active), HostProcess(0, 1, None)]

    async def bucket_owners() -> Mapping[int, int]:
        if not owners:
            raise TimeoutError
        return owners

    api.resources.actors.survey_hosts, api.resources.actors.bucket_owners = survey, bucket_owners
    answer = (await operator_client.get(f"{ROOT}/shards")).json()
    active, silent = answer["items"]
    assert (answer["buckets"], active["state"], active["lease_s"], silent["state"]) == (1024, "active", 3.5, "silent")
    assert [(shard["kind"], shard["buckets"]) for shard in active["shards"]] == [("brokers", 1024), ("sessions", None)]

    owners.clear()
    answer = (await operator_client.get(f"{ROOT}/shards")).json()
    assert answer["items"][0]["shards"][0]["buckets"] is None, "the rest is shown when no broker shard answers"
    api.resources.actors.bucket_owners = None
    assert (await operator_client.get(f"{ROOT}/shards")).json()["items"][0]["shards"][0]["buckets"] is None


async def test_without_actors_they_are_unavailable(api: Api, operator_client: httpx.AsyncClient) -> None:
    api.resources.actors.sessions = None
    for path in ("namespaces", "shards"):
        assert_problem(await operator_client.get(f"{ROOT}/{path}"), 503, "unavailable")


@pytest.mark.parametrize("path", ["namespaces", "shards"])
async def test_they_are_for_operators(
    path: str, client: httpx.AsyncClient, authenticated_client: httpx.AsyncClient
) -> None:
    assert_problem(await client.get(f"{ROOT}/{path}"), 401, "authentication_required")
    assert_problem(await authenticated_client.get(f"{ROOT}/{path}"), 403, "permission_denied")
