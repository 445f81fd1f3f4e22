"""Refusals about the catalogue."""

from db.errors import Conflict, InvalidInput, NotFound


class ProductNotFound(NotFound):
    """No live product has this id."""

    code = "product_not_found"
    default_message = "There is no such product."


class UnknownCategory(InvalidInput):
    """No category has this id or slug."""

    code = "unknown_category"
    default_message = "There is no such category."


class CategoryNotFound(NotFound):
    """No category has this id."""

    code = "category_not_found"
    default_message = "There is no such category."


class CategoryInUse(Conflict):
    """Something is in it, or products that orders still show were."""

    code = "category_in_use"
    default_message = "There are products in this category, or removed ones that orders still show; rename it instead."


class SlugTaken(Conflict):
    """Another category has this slug."""

    code = "slug_taken"
    default_message = "Another category has this slug."


class SkuTaken(Conflict):
    """Another live product has this SKU."""

    code = "sku_taken"
    default_message = "Another product has this SKU."
