"""Products as responses."""

from typing import Any

from db.products.models import Product as ProductRow
from serve_app.links import action, self_link
from serve_app.products.schemas import Category, Product
from serve_app.schemas import Links
from serve_app.security.principal import Principal


def present_product(row: ProductRow, *, principal: Principal | None = None) -> Product:
    """One product, with what the caller may do."""
    return Product.of(
        row, category=Category.model_validate(row.category), links=product_links(str(row.id), principal=principal)
    )


def product_links(product_id: str, *, principal: Principal | None) -> Links:
    """Where it is; how to change it, for those who may."""
    path = f"/products/{product_id}"
    links = self_link(path)
    if principal is not None and principal.may("products:write"):
        links |= {"update": action(path, "PATCH"), "delete": action(path, "DELETE")}
    return links


def as_json(product: Product) -> dict[str, Any]:
    """What is cached: JSON, never objects."""
    return product.model_dump(mode="json", by_alias=True)
