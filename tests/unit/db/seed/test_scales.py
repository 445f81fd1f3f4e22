import itertools

from db.seed.scales import SCALES

LINES_PER_ORDER = 2.4
"""At least; the integration test of the writer counts them."""


def test_scales_go_from_seconds_to_millions_of_order_lines() -> None:
    assert list(SCALES) == ["small", "medium", "large"]
    assert SCALES["large"].orders * LINES_PER_ORDER > 2_000_000
    sizes = [(s.users, s.products, s.orders, s.conversations, s.messages, s.page_views) for s in SCALES.values()]
    for smaller, larger in itertools.pairwise(sizes):
        assert all(less < more for less, more in zip(smaller, larger, strict=True))
