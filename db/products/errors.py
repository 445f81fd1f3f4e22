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


class SkuTaken(Conflict):
    """Another live product has this SKU."""

    code = "sku_taken"
    default_message = "Another product has this SKU."
