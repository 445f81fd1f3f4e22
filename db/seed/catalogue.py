"""An invented shop: categories, and products whose names, prices and descriptions fit together."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

BRANDS = (
    "Halden", "Brightwater", "Orsa", "Tessel", "Kestrel", "Lumen & Oak", "Ardenne", "Fjellby", "Solace", "Pebblework",
    "Northlight", "Vireo", "Marlow", "Quillon", "Sable Coast", "Tern", "Umber", "Wickham", "Yarrow", "Zephyr Lane",
)  # fmt: skip
COLOURS = ("graphite", "sand", "sea green", "white", "midnight blue", "clay", "moss", "cherry red", "silver", "ochre")


@dataclass(frozen=True, slots=True)
class Shelf:
    """A category and the words its products are made of."""

    slug: str
    name: str
    description: str
    code: str
    prices: tuple[float, float]
    kinds: tuple[str, ...]
    qualities: tuple[str, ...]
    uses: tuple[str, ...]


SHELVES = (
    Shelf("electronics", "Electronics", "Things with a plug or a battery.", "ELE", (19, 899),
          ("Wireless Headphones", "Bluetooth Speaker", "Action Camera", "Smart Watch", "Power Bank", "Webcam",
           "Mechanical Keyboard", "Portable Monitor", "E-Reader", "Noise-Cancelling Earbuds", "USB-C Dock", "Drone"),
          ("Compact", "Pro", "Lite", "Studio", "Travel", "Ultra"),
          ("long commutes", "video calls", "the home office", "weekend trips", "late-night work")),
    Shelf("books", "Books", "Fiction, knowledge and pictures.", "BOO", (7, 49),
          ("Field Guide to Reef Fish", "Atlas of Quiet Places", "Short History of Salt", "Cookbook of the Coast",
           "Novel of the Long Winter", "Manual of Small Boats", "Book of Knots", "Essays on Attention"),
          ("Illustrated", "Pocket", "Annotated", "Revised", "Hardcover", "Collector's"),
          ("rainy afternoons", "curious children", "the bedside table", "a long train ride")),
    Shelf("home-kitchen", "Home & Kitchen", "For cooking, sleeping and sitting.", "HOM", (9, 349),
          ("Cast Iron Pan", "Chef's Knife", "Espresso Maker", "Linen Duvet Cover", "Table Lamp", "Stoneware Bowl Set",
           "Electric Kettle", "Bread Tin", "Storage Basket", "Wool Throw"),
          ("Classic", "Everyday", "Handmade", "Heavy", "Small", "Family"),
          ("slow Sundays", "small kitchens", "feeding a crowd", "the first apartment")),
    Shelf("outdoor", "Outdoor", "For hills, forests and bad weather.", "OUT", (12, 599),
          ("Two-Person Tent", "Down Jacket", "Trekking Poles", "Camping Stove", "Headlamp", "Dry Bag", "Hiking Boots",
           "Sleeping Bag", "Water Filter", "Merino Base Layer"),
          ("Alpine", "Light", "Four-Season", "Trail", "Storm", "Summit"),
          ("multi-day hikes", "wet autumns", "the first snow", "bivouacs above the treeline")),
    Shelf("water-sports", "Water Sports", "On, in and under the water.", "WAT", (15, 1299),
          ("Dive Mask", "Freediving Fins", "Inflatable Kayak", "Paddle Board", "Wetsuit 5 mm", "Dive Computer",
           "Surf Leash", "Snorkel Set", "Diving Torch", "Life Vest"),
          ("Reef", "Open Water", "Blue", "Tidal", "Manta", "Harbour"),
          ("clear lagoons", "cold lakes", "the first dive", "long swells")),
    Shelf("sports", "Sports & Fitness", "To move more.", "SPO", (8, 449),
          ("Yoga Mat", "Kettlebell", "Running Shoes", "Resistance Bands", "Foam Roller", "Climbing Chalk",
           "Bike Helmet", "Skipping Rope", "Tennis Racket", "Gym Bag"),
          ("Core", "Tempo", "Grip", "Endurance", "Balance", "Sprint"),
          ("mornings before work", "the garage gym", "the first marathon", "winter training")),
    Shelf("toys-games", "Toys & Games", "For every age.", "TOY", (6, 129),
          ("Wooden Train Set", "Strategy Board Game", "Marble Run", "Jigsaw Puzzle", "Card Game", "Building Blocks",
           "Kite", "Chess Set"),
          ("Grand", "Junior", "Travel", "Deluxe", "Cooperative", "Mini"),
          ("family evenings", "birthday presents", "rainy holidays")),
    Shelf("garden", "Garden", "For beds, balconies and birds.", "GAR", (5, 279),
          ("Pruning Shears", "Raised Bed", "Watering Can", "Bird House", "Herb Planter", "Fire Bowl", "Garden Hose",
           "Compost Bin"),
          ("Cottage", "Balcony", "Steel", "Oak", "Terrace", "Orchard"),
          ("small balconies", "the first tomatoes", "long summer evenings")),
    Shelf("office", "Office & Stationery", "For desks and ideas.", "OFF", (3, 499),
          ("Fountain Pen", "Dotted Notebook", "Desk Organiser", "Standing Desk", "Ergonomic Chair", "Desk Mat",
           "Label Maker", "Weekly Planner"),
          ("Executive", "Plain", "Recycled", "Slim", "Studio", "Modular"),
          ("clear mornings", "meeting notes", "a tidy desk")),
    Shelf("music", "Music", "To play and to listen.", "MUS", (11, 999),
          ("Acoustic Guitar", "Ukulele", "Digital Piano", "Cajon", "Record Player", "Audio Interface", "Clip-On Tuner",
           "Studio Microphone"),
          ("Concert", "Starter", "Vintage", "Stage", "Parlour", "Session"),
          ("first chords", "home recordings", "small stages")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class InventedProduct:
    """A product before it has an id."""

    shelf: Shelf
    sku: str
    name: str
    description: str
    price: Decimal
    stock: int
    attributes: dict[str, object]


def invent_products(rng: random.Random, count: int) -> Iterator[InventedProduct]:
    """`count` products, spread over the shelves, no name twice."""
    used: set[str] = set()
    for number in range(1, count + 1):
        shelf = SHELVES[(number - 1) % len(SHELVES)]
        kind = rng.choice(shelf.kinds)
        brand = rng.choice(BRANDS)
        quality = rng.choice(shelf.qualities)
        name = f"{brand} {quality} {kind}"
        while name in used:
            name = f"{brand} {quality} {kind} {rng.choice('ABCDEHKMRSTX')}{rng.randint(2, 99) * 10}"
        used.add(name)
        colour = rng.choice(COLOURS)
        yield InventedProduct(
            shelf,
            f"{shelf.code}-{number:05}",
            name,
            f"{quality} {kind.lower()} by {brand}, in {colour}. Made for {rng.choice(shelf.uses)}; "
            f"{rng.choice(('repairable', 'built to last', 'light', 'simple to care for', 'loved by our testers'))}.",
            _price(rng, *shelf.prices),
            0 if rng.random() < 0.03 else rng.randint(3, 400),
            {
                "brand": brand,
                "colour": colour,
                "weight_g": rng.randrange(50, 9000, 10),
                "rating": round(min(5.0, max(2.5, rng.gauss(4.2, 0.5))), 1),
            },
        )


def _price(rng: random.Random, low: float, high: float) -> Decimal:
    """More cheap things than dear ones, with the endings that shops like."""
    euros = int(low + (high - low) * rng.random() ** 2.6)
    return Decimal(euros) + Decimal(rng.choice(("0.00", "0.49", "0.90", "0.95", "0.99")))
