"""How much of everything each scale makes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers of rows; an order has 2.6 lines on average."""

    name: str
    users: int
    products: int
    orders: int
    days: int
    conversations: int
    messages: int
    page_views: int


SCALES = {
    scale.name: scale
    for scale in (
        Scale("small", 80, 140, 600, 180, 8, 160, 1_000),
        Scale("medium", 5_000, 2_000, 50_000, 540, 400, 8_000, 50_000),
        Scale("large", 100_000, 20_000, 1_200_000, 900, 5_000, 150_000, 500_000),
    )
}
