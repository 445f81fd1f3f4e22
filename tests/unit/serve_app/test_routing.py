"""Finding handlers by look-up."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from serve_app import routers
from serve_app.routing import RouteIndex, register, slot_of
from tests.fakes.asgi import Exchange
from tests.fixtures.client import build_settings

things = APIRouter(prefix="/things", tags=["things"])


@things.get("/{name}")
async def get_thing(name: str) -> str:
    return name


@things.get("/mine")
async def get_mine() -> str:
    return "fixed"


@things.post("/{name}/parts/{part}")
async def add_part(name: str, part: int, doubled: Annotated[int, Depends(lambda part: part)] = 0) -> list[str | int]:
    return [name, part]


@things.get("/files/{path:path}")
async def get_file(path: str) -> str:
    return path


@things.delete("/{name}")
async def remove_thing(name: str) -> None:
    """Nothing."""


@pytest.fixture
def app() -> FastAPI:
    made = FastAPI(redirect_slashes=False)
    register(made, things, prefix="/api/v1")
    made.router.middleware_stack = RouteIndex(made.router.routes, made.router.app)
    return made


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/api/v1/things/lamp", 200, b'"lamp"'),
        ("GET", "/api/v1/things/mine", 200, b'"fixed"'),
        ("POST", "/api/v1/things/lamp/parts/7", 200, b'["lamp",7]'),
        ("POST", "/api/v1/things/lamp/parts/x", 422, None),
        ("GET", "/api/v1/things/files/a/b", 200, b'"a/b"'),
        ("PUT", "/api/v1/things/lamp", 405, None),
        ("GET", "/api/v1/things/", 404, None),
        ("GET", "/api/v1/nowhere", 404, None),
        ("GET", "/", 404, None),
    ],
)
async def test_answers_like_the_router_itself(app: FastAPI, method: str, path: str, status: int, body: bytes | None):
    exchange = await Exchange(method, path, query="part=1").through(app)
    assert exchange.status == status, exchange.body
    assert body is None or exchange.body == body


async def test_the_index_is_what_answers(app: FastAPI):
    async def fallback(*_: object) -> None:
        raise AssertionError("not found by look-up")

    app.router.middleware_stack = RouteIndex(app.router.routes, fallback)
    assert (await Exchange(path="/api/v1/things/lamp").through(app)).status == 200
    with pytest.raises(AssertionError):
        await Exchange(path="/api/v1/nowhere").through(app)


async def test_routes_that_come_later_are_found_too(app: FastAPI):
    app.get("/late")(get_mine)
    assert (await Exchange(path="/late").through(app)).status == 200


async def test_behind_a_prefix_the_router_decides(app: FastAPI):
    exchange = Exchange(path="/mounted/api/v1/things/lamp")
    exchange.scope["root_path"] = "/mounted"
    assert (await exchange.through(app)).status == 200


def test_every_route_of_ours_is_found_by_look_up():
    from serve_app.app import build_app

    app = build_app(build_settings())
    index = app.router.middleware_stack
    assert isinstance(index, RouteIndex)
    indexed = {id(route) for found in (*index._fixed.values(), *index._open.values()) for route in found}
    for route in app.router.routes:
        if getattr(route, "tags", None):
            assert id(route) in indexed, route
    assert len(indexed) >= sum(len(router.routes) for router in (*routers.VERSIONED, *routers.UNVERSIONED))


def test_other_routes_are_refused():
    router = APIRouter()
    router.routes.append(Route("/plain", PlainTextResponse("x")))
    with pytest.raises(TypeError):
        register(FastAPI(), router)


@pytest.mark.parametrize(
    ("path", "slot"),
    [("/api/v1/orders/1/cancel", (6, "orders")), ("/problems/x", (3, "problems")), ("/", (2, "")), ("", (1, ""))],
)
def test_slots(path: str, slot: tuple[int, str]):
    assert slot_of(path) == slot


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/v1/things/lamp", "DELETE, GET, HEAD"),
        ("/api/v1/things/mine", "DELETE, GET, HEAD"),  # by the path with a parameter
        ("/api/v1/things/lamp/parts/7", "POST"),
    ],
)
async def test_what_may_not_be_asked_names_all_that_may(app: FastAPI, path: str, allow: str):
    exchange = await Exchange("PUT", path).through(app)
    assert (exchange.status, exchange.headers["allow"]) == (405, allow)
