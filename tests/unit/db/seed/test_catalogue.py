"""Invented products."""

import random
from decimal import Decimal

from db.seed.catalogue import SHELVES, invent_products


def test_products_are_distinct_fit_their_shelf_and_the_tables() -> None:
    products = list(invent_products(random.Random(1), 3_000))
    assert len({product.name for product in products}) == 3_000
    assert len({product.sku for product in products}) == 3_000
    for product in products:
        low, high = product.shelf.prices
        assert Decimal(int(low)) <= product.price <= Decimal(int(high)) + 1
        assert len(product.name) <= 160
        assert product.stock >= 0
        assert product.sku.startswith(product.shelf.code)
    assert {product.shelf.slug for product in products} == {shelf.slug for shelf in SHELVES}


def test_the_same_seed_gives_the_same_shop() -> None:
    assert list(invent_products(random.Random(7), 50)) == list(invent_products(random.Random(7), 50))
    assert list(invent_products(random.Random(7), 50)) != list(invent_products(random.Random(8), 50))
