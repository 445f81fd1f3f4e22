"""The catalogue over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from serve_app.schemas import FreeJson, Money, RequestSchema, ResourceSchema, ResponseSchema

MAX_STOCK = 1_000_000_000
"""Fits the column (integer)."""


class Category(ResponseSchema):
    """A part of the catalogue."""

    id: UUID
    slug: str = Field(examples=["electronics"])
    name: str
    description: str
    parent_id: UUID | None


class CategoryList(ResponseSchema):
    """All categories, in the order of the shelves."""

    items: list[Category]


class Product(ResourceSchema):
    """Something to buy."""

    id: UUID
    sku: str = Field(examples=["ELE-00042"])
    name: str
    description: str
    category: Category
    price: Money
    currency: str = Field(examples=["EUR"])
    stock: int
    image_url: str | None
    attributes: dict[str, Any]
    version: int = Field(description="Also the ETag; send it back in If-Match to change the product.")
    created_at: datetime
    updated_at: datetime


class ProductCreate(RequestSchema):
    """A new product."""

    sku: Annotated[str, Field(min_length=1, max_length=40)]
    name: Annotated[str, Field(min_length=1, max_length=160)]
    description: Annotated[str, Field(max_length=10_000)] = ""
    category_id: UUID
    price: Money
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    stock: Annotated[int, Field(ge=0, le=MAX_STOCK)] = 0
    attributes: FreeJson = Field(default_factory=dict)


class ProductUpdate(RequestSchema):
    """Changes to a product (JSON Merge Patch of its top level)."""

    sku: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=160)] | None = None
    description: Annotated[str, Field(max_length=10_000)] | None = None
    category_id: UUID | None = None
    price: Money | None = None
    stock: Annotated[int, Field(ge=0, le=MAX_STOCK)] | None = None
    attributes: FreeJson | None = None
