"""The catalogue: categories, products, stock."""
