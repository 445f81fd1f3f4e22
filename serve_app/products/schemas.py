"""The catalogue over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from serve_app.schemas import FreeJson, Money, RequestSchema, ResourceSchema, ResponseSchema, Whole

MAX_STOCK = 1_000_000_000
"""Fits the column (integer)."""


class Category(ResponseSchema):
    """A part of the catalogue."""

    id: UUID
    slug: str = Field(examples=["electronics"])
    name: str
    description: str
    parent_id: UUID | None
    position: int = Field(description="Its place among the shelves, ascending; then by name.")
    version: int = Field(description="Also the ETag; send it back in If-Match to change the category.")


class CategoryList(ResponseSchema):
    """All categories, in the order of the shelves."""

    items: list[Category]


Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60, examples=["electronics"])]
CategoryName = Annotated[str, Field(min_length=1, max_length=80)]
CategoryDescription = Annotated[str, Field(max_length=2000)]
Position = Annotated[Whole, Field(ge=0, le=100_000)]


class CategoryCreate(RequestSchema):
    """A new category. `parent_id`: a category that is itself below none."""

    slug: Slug
    name: CategoryName
    description: CategoryDescription = ""
    parent_id: UUID | None = None
    position: Position = 0


class CategoryUpdate(RequestSchema):
    """Changes to a category (JSON Merge Patch)."""

    slug: Slug | None = None
    name: CategoryName | None = None
    description: CategoryDescription | None = None
    parent_id: UUID | None = None
    position: Position | None = None


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


ImageUrl = Annotated[
    str,
    Field(
        max_length=400,
        pattern=r"^(https://[^\s/]\S*|/|/[^\s/\\]\S*)$",
        description="An `https://` address, or a path of the front end.",
        examples=["https://images.example/lamp.webp"],
    ),
]


class ProductCreate(RequestSchema):
    """A new product."""

    sku: Annotated[str, Field(min_length=1, max_length=40)]
    name: Annotated[str, Field(min_length=1, max_length=160)]
    description: Annotated[str, Field(max_length=10_000)] = ""
    category_id: UUID
    price: Money
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    stock: Annotated[Whole, Field(ge=0, le=MAX_STOCK)] = 0
    image_url: ImageUrl | None = None
    attributes: FreeJson = Field(default_factory=dict)


class ProductUpdate(RequestSchema):
    """Changes to a product (JSON Merge Patch of its top level). `image_url: null` takes the picture away."""

    sku: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=160)] | None = None
    description: Annotated[str, Field(max_length=10_000)] | None = None
    category_id: UUID | None = None
    price: Money | None = None
    stock: Annotated[Whole, Field(ge=0, le=MAX_STOCK)] | None = None
    image_url: ImageUrl | None = None
    attributes: FreeJson | None = None
