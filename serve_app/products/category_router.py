"""The shelves of the catalogue."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Header, Request, Response, status

from db.products import categories
from db.products.models import Category as CategoryRow
from serve_app.conditional import NO_CACHE, expected_version, version_tag
from serve_app.dependencies import DbSession, ResourcesDep
from serve_app.middleware.cache_version import version_wanted
from serve_app.openapi_parts import CACHED, ETAG_HEADER, PUBLIC, problems
from serve_app.products.router import LIST_TTL_S, ProductWriter
from serve_app.products.schemas import Category, CategoryCreate, CategoryList, CategoryUpdate

router = APIRouter(prefix="/categories", tags=["products"])

IfMatch = Annotated[str | None, Header(description="The `version` of the category as you read it, in quotes.")]


@router.get("", response_model=CategoryList, openapi_extra=PUBLIC | CACHED)
async def list_categories(request: Request, resources: ResourcesDep) -> Any:
    """All categories."""

    async def load() -> dict[str, Any]:
        async with resources.database.transaction(read_only=True) as session:
            rows = await categories.list_categories(session)
            return CategoryList(items=[Category.model_validate(row) for row in rows]).model_dump(mode="json")

    wanted = version_wanted(request.scope)
    tags = (categories.CATEGORIES_TAG,)
    content = await resources.cached("categories", load, ttl_s=LIST_TTL_S, tags=tags, at_least=wanted)
    return Response(orjson.dumps(content), headers={"Cache-Control": NO_CACHE}, media_type="application/json")


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=Category,
    responses=problems(403, 409) | {201: {"headers": ETAG_HEADER}},
)
async def create_category(
    body: CategoryCreate, principal: ProductWriter, session: DbSession, response: Response
) -> Any:
    """Add a category. Needs `products:write`."""
    return _answer(await categories.create_category(session, **body.model_dump()), response)


@router.patch(
    "/{category_id}",
    response_model=Category,
    responses=problems(403, 404, 409, 412, 428) | {200: {"headers": ETAG_HEADER}},
)
async def update_category(
    category_id: UUID,
    body: CategoryUpdate,
    principal: ProductWriter,
    session: DbSession,
    response: Response,
    if_match: IfMatch = None,
) -> Any:
    """Change a category (`parent_id: null` puts it below none). If-Match is required."""
    version = expected_version(if_match, required=True)
    given = body.model_dump(exclude_unset=True)
    changes = {name: value for name, value in given.items() if value is not None or name == "parent_id"}
    return _answer(await categories.update_category(session, category_id, changes, expected_version=version), response)


@router.delete(
    "/{category_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(403, 404, 409, 412, 428),
)
async def delete_category(
    category_id: UUID, principal: ProductWriter, session: DbSession, if_match: IfMatch = None
) -> None:
    """Remove a category in which there are, and were, no products; else `409 category_in_use`. If-Match is required."""
    version = expected_version(if_match, required=True)
    await categories.delete_category(session, category_id, expected_version=version)


def _answer(category: CategoryRow, response: Response) -> Category:
    response.headers["ETag"] = version_tag(category.version)
    return Category.model_validate(category)
