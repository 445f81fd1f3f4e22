"""The same two routes as a plain FastAPI application on uvicorn.

`/health/live` is the trivial route. `/api/v1/products` is the list as a typical full-stack template does it: a count
and a page from Postgres on every request, each row through a Pydantic response model, no cache.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import uvicorn
from fastapi import Depends, FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine


class Category(BaseModel):
    id: UUID
    slug: str
    name: str


class Product(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    sku: str
    name: str
    description: str
    category: Category
    price: Decimal
    currency: str
    stock: int
    image_url: str | None
    attributes: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime


class ProductPage(BaseModel):
    items: list[Product]
    total: int
    page: int
    limit: int


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ.get("PEER_DATABASE_URL", "")
    app.state.engine = create_async_engine(url, pool_size=5) if url else None
    yield
    if app.state.engine is not None:
        await app.state.engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "ok"}


async def connection(request: Request) -> AsyncIterator[AsyncConnection]:
    async with request.app.state.engine.connect() as opened:
        yield opened


@app.get("/api/v1/products", response_model=ProductPage)
async def products(
    database: Annotated[AsyncConnection, Depends(connection)],
    page: Annotated[int, Query(ge=1)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> ProductPage:
    total = await database.scalar(text("SELECT count(*) FROM app.products WHERE deleted_at IS NULL"))
    rows = await database.execute(
        text(
            "SELECT p.*, c.id AS c_id, c.slug AS c_slug, c.name AS c_name FROM app.products p"
            " JOIN app.categories c ON c.id = p.category_id WHERE p.deleted_at IS NULL"
            " ORDER BY p.name, p.id LIMIT :limit OFFSET :offset"
        ),
        {"limit": limit, "offset": (page - 1) * limit},
    )
    items = [
        Product(**{**row, "category": Category(id=row["c_id"], slug=row["c_slug"], name=row["c_name"])})
        for row in rows.mappings()
    ]
    return ProductPage(items=items, total=total or 0, page=page, limit=limit)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=parser.parse_args().port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
    asyncio.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
