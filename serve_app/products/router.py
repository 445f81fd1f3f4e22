"""The catalogue. Reads go through the cache; what they are made from is tagged, so that writers can void it."""

import hashlib
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Request, Response, status
from pydantic import Field

from db.products import service
from db.products.categories import category_tag
from db.products.repository import ProductFilter
from serve_app.conditional import NO_CACHE, content_tag, expected_version, not_modified, version_tag
from serve_app.dependencies import DbSession, OptionalPrincipal, ResourcesDep, require, resources_of
from serve_app.links import ROOT
from serve_app.middleware.cache_version import version_wanted
from serve_app.openapi_parts import CACHED, ETAG_HEADER, LOCATION_HEADER, PUBLIC, problems
from serve_app.pagination import PageQuery, by_cursor, numbered, read_cursor
from serve_app.products.presenting import as_json, present_product, product_links
from serve_app.products.schemas import Product, ProductCreate, ProductUpdate
from serve_app.query import parsed, query_parameters
from serve_app.resources import Resources
from serve_app.schemas import Page
from serve_app.security.principal import Principal

router = APIRouter(tags=["products"])

SortKey = Literal["name", "-name", "price", "-price", "created_at", "-created_at", "stock", "-stock"]

LIST_TTL_S = 5.0
"""A list is voided when a product appears, changes or goes, and by orders of what it shows. This bounds the rest."""

PRODUCT_TTL_S = 300.0
"""A product is voided by every change, orders included; this only bounds what idle entries hold."""


class ProductQuery(PageQuery):
    """Filters of the catalogue."""

    category: Annotated[str | None, Field(max_length=60, description="Slug of a category; its children count too.")] = (
        None
    )
    price_min: Annotated[Decimal | None, Field(ge=0, max_digits=12, decimal_places=2)] = None
    price_max: Annotated[Decimal | None, Field(ge=0, max_digits=12, decimal_places=2)] = None
    in_stock: bool | None = None
    low: Annotated[bool | None, Field(description="Of which little is left, or nothing.")] = None
    q: Annotated[str | None, Field(max_length=100, description="Words of the name or the description.")] = None
    sort: Annotated[SortKey, Field(description="`-price` is the same as `sort=price&order=desc`.")] = "name"
    order: Literal["asc", "desc"] | None = None


read_query = parsed(ProductQuery)
ProductWriter = Annotated[Principal, Depends(require("products:write"))]
IfMatch = Annotated[str | None, Header(description="ETag of the product as you read it.")]
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Your copy is the present one."}}


@router.get(
    "/products",
    response_model=Page[Product],
    openapi_extra=PUBLIC | {"parameters": [*query_parameters(ProductQuery)["parameters"], *CACHED["parameters"]]},
    responses=NOT_MODIFIED | {200: {"headers": ETAG_HEADER}},
)
async def list_products(request: Request) -> Any:
    """Products, filtered, sorted, page by page."""
    # Asked for by hand: FastAPI's dependencies would cost more than everything else of an answer from the cache.
    query, resources = read_query(request), resources_of(request)
    address = request.scope["path"].encode() + b"?" + request.scope["query_string"]
    key = f"products:list:{hashlib.blake2b(address, digest_size=16).hexdigest()}"
    cached = await resources.cached(
        key,
        lambda: _load_list(query, request, resources),
        ttl_s=LIST_TTL_S,
        tags=lambda found: _list_tags(query, found),
        at_least=version_wanted(request.scope),
    )
    unchanged = not_modified(request, cached["headers"]["ETag"])
    return unchanged or Response(cached["body"], headers=cached["headers"], media_type="application/json")


@router.get(
    "/products/{product_id}",
    response_model=Product,
    openapi_extra=PUBLIC | CACHED,
    responses=NOT_MODIFIED | problems(404) | {200: {"headers": ETAG_HEADER}},
)
async def get_product(product_id: UUID, principal: OptionalPrincipal, request: Request, resources: ResourcesDep) -> Any:
    """One product."""

    async def load() -> dict[str, Any]:
        async with resources.database.transaction(read_only=True) as session:
            return as_json(present_product(await service.get_product(session, product_id)))

    product = await resources.cached(
        f"products:one:{product_id}",
        load,
        ttl_s=PRODUCT_TTL_S,
        tags=lambda found: (service.product_tag(product_id), category_tag(found["category"]["id"])),
        at_least=version_wanted(request.scope),
    )
    links = product_links(str(product_id), principal=principal)
    # Who may change it reads another answer: a copy of one must not stand in for the other.
    etag = version_tag(product["version"], variant="" if "update" in links else "read")
    if (unchanged := not_modified(request, etag)) is not None:
        return unchanged
    body = product | {"_links": {name: link.model_dump() for name, link in links.items()}}
    headers = {"ETag": etag, "Cache-Control": NO_CACHE}
    return Response(orjson.dumps(body), headers=headers, media_type="application/json")


@router.post(
    "/products",
    status_code=status.HTTP_201_CREATED,
    response_model=Product,
    responses=problems(403, 409) | {201: {"headers": ETAG_HEADER | LOCATION_HEADER}},
)
async def create_product(body: ProductCreate, principal: ProductWriter, session: DbSession, response: Response) -> Any:
    """Add a product."""
    product = await service.create_product(session, **body.model_dump())
    response.headers["Location"] = f"{ROOT}/products/{product.id}"
    response.headers["ETag"] = version_tag(product.version)
    return present_product(product, principal=principal)


@router.patch(
    "/products/{product_id}",
    response_model=Product,
    responses=problems(403, 404, 409, 412, 428) | {200: {"headers": ETAG_HEADER}},
)
async def update_product(
    product_id: UUID,
    body: ProductUpdate,
    principal: ProductWriter,
    session: DbSession,
    response: Response,
    if_match: IfMatch = None,
) -> Any:
    """Change a product. If-Match is required, so that two editors cannot overwrite one another."""
    version = expected_version(if_match, required=True)
    given = body.model_dump(exclude_unset=True)
    changes = {name: value for name, value in given.items() if value is not None or name == "image_url"}
    product = await service.update_product(session, product_id, changes, expected_version=version)
    response.headers["ETag"] = version_tag(product.version)
    return present_product(product, principal=principal)


@router.delete(
    "/products/{product_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(403, 404, 412, 428),
)
async def delete_product(
    product_id: UUID, principal: ProductWriter, session: DbSession, if_match: IfMatch = None
) -> None:
    """Take a product out of the catalogue (softly: orders keep it)."""
    await service.delete_product(session, product_id, expected_version=expected_version(if_match, required=True))


def _list_tags(query: ProductQuery, found: dict[str, Any]) -> tuple[str, ...]:
    """What the list was made from: at most one tag per item of a page, and two."""
    by_stock = query.in_stock is not None or query.low is not None or query.sort.lstrip("-") == "stock"
    general = (service.LIST_TAG, service.STOCK_TAG) if by_stock else (service.LIST_TAG,)
    return (*general, *map(service.product_tag, found["products"]))


async def _load_list(query: ProductQuery, request: Request, resources: Resources) -> dict[str, Any]:
    """A finished response: its body as text, its headers, and what is in it. A hit costs only its sending."""
    wanted = ProductFilter(
        category=query.category,
        price_min=query.price_min,
        price_max=query.price_max,
        in_stock=query.in_stock,
        low=query.low,
        q=query.q,
    )
    scratch = Response()
    async with resources.database.transaction(read_only=True) as session:
        if query.by_cursor:
            cursor = read_cursor(request, resources.links, query.cursor)
            by_place = await service.list_products_by_cursor(
                session, wanted, sort=query.sort, order=query.order, cursor=cursor, limit=query.limit
            )
            content = by_cursor(
                by_place,
                present_product,
                request=request,
                response=scratch,
                signer=resources.links,
                limit=query.limit,
            )
        else:
            page = await service.list_products(
                session, wanted, sort=query.sort, order=query.order, page=query.page, limit=query.limit
            )
            content = numbered(page, present_product, request=request, response=scratch)
    body = Page[Product](**content).model_dump_json(by_alias=True)
    headers = {name: scratch.headers[name] for name in ("Link", "X-Total-Count") if name in scratch.headers}
    headers |= {"ETag": content_tag(body.encode()), "Cache-Control": NO_CACHE}
    return {"body": body, "headers": headers, "products": [str(item.id) for item in content["items"]]}
