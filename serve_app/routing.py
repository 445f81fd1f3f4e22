"""Finding the handler of a request by look-up.

FastAPI tries one route after the other, and included routers as a tree: with sixty routes that costs four times what a
small handler costs. So routes are registered flat, and found by their path.
"""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.convertors import PathConvertor
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.openapi import operation_id

Slot = tuple[int, str]
"""How many segments a path has, and the one that names its resource."""


def register(app: FastAPI, router: APIRouter, *, prefix: str = "") -> None:
    """Add a router's routes to the application itself, rather than the router as a branch."""
    for route in router.routes:
        if not isinstance(route, APIRoute):
            raise TypeError(f"{route!r} is no HTTP route of FastAPI's")
        app.router.routes.append(
            APIRoute(
                prefix + route.path,
                route.endpoint,
                response_model=route.response_model,
                status_code=route.status_code,
                tags=route.tags,
                dependencies=route.dependencies,
                summary=route.summary,
                description=route.description,
                response_description=route.response_description,
                responses=route.responses,
                deprecated=route.deprecated,
                name=route.name,
                methods=route.methods,
                response_model_exclude_none=route.response_model_exclude_none,
                response_model_exclude_unset=route.response_model_exclude_unset,
                include_in_schema=route.include_in_schema,
                response_class=route.response_class,
                dependency_overrides_provider=app,
                openapi_extra=(route.openapi_extra or {}) | _declared(route),
                generate_unique_id_function=operation_id,
            )
        )


def _declared(route: APIRoute) -> dict[str, Any]:
    """What the route's dependencies demand of its caller, for the document: said once, where it is checked."""
    declared: dict[str, Any] = {}
    for dependency in route.dependant.dependencies:
        declared |= getattr(dependency.call, "declared", {})
    return declared


class RouteIndex:
    """Answers requests whose path it knows; hands all others (404, mounts, later routes) to the router.

    A fixed path is preferred to one with a parameter, whichever was declared first. 405 names every method that the
    path has: the router would name those of the first route alone.
    """

    def __init__(self, routes: Iterable[object], fallback: ASGIApp) -> None:
        self._fallback = fallback
        self._fixed: dict[str, list[APIRoute]] = {}
        self._open: dict[Slot, list[APIRoute]] = {}
        for route in routes:
            if not isinstance(route, APIRoute):
                continue
            if not route.param_convertors:
                self._fixed.setdefault(route.path, []).append(route)
            elif not any(isinstance(convertor, PathConvertor) for convertor in route.param_convertors.values()):
                slot = slot_of(route.path)
                if "{" not in slot[1]:
                    self._open.setdefault(slot, []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "http" and not scope.get("root_path"):
            path: str = scope["path"]
            for route in self._fixed.get(path) or self._open.get(slot_of(path)) or ():
                match, child_scope = route.matches(scope)
                if match is Match.FULL:
                    scope.update(child_scope)
                    await route.handle(scope, receive, send)
                    return
            if methods := self._other_methods(scope):
                raise HTTPException(405, headers={"Allow": ", ".join(sorted(methods))})
        await self._fallback(scope, receive, send)

    def _other_methods(self, scope: Scope) -> set[str]:
        """What the path can be asked for, when it knows the path and not the method; else nothing."""
        path: str = scope["path"]
        methods: set[str] = set()
        for route in (*self._fixed.get(path, ()), *self._open.get(slot_of(path), ())):
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return set()
            if match is Match.PARTIAL:
                methods |= route.methods
        return methods | {"HEAD"} if "GET" in methods else methods


def slot_of(path: str) -> Slot:
    """`/api/v1/orders/1/cancel` is (6, `orders`), `/problems/x` is (3, `problems`)."""
    segments = path.split("/")
    count = len(segments)
    if count > 3 and segments[1] == "api":
        return count, segments[3]
    return count, segments[1] if count > 1 else ""
