"""Products as responses."""

import orjson

from serve_app.products.presenting import as_json, present_product, product_links
from tests.factories.products import make_product
from tests.fixtures.client import Api


async def test_what_is_cached_is_json(api: Api):
    async with api.database.transaction() as session:
        product = present_product(await make_product(session))
    cached = as_json(product)
    assert orjson.loads(orjson.dumps(cached)) == cached
    assert cached["price"] == "9.90"
    assert cached["_links"] == {"self": {"href": f"/api/v1/products/{product.id}"}}


def test_links_for_nobody():
    assert set(product_links("1", principal=None)) == {"self"}
