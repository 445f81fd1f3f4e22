"""How much of each product is in stock, live: the shared poll of `stock:levels`, whose keys are product ids.

Every order changes it, in transactions that know nothing of who is looking; one query per second for all who look is
cheaper than a publication per order. The rpc method

    stock.track {"channel": "stock:levels", "keys": ["<product id>", …]}

answers `{"signature"}` for what SDKs ask as `getSignature`. The catalogue is public: whoever is signed in may look.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Final
from uuid import UUID

import msgspec

from actors.protocol import codes
from db.products import stock
from db.session import Database
from serve_app.realtime.calls import CallError
from serve_app.realtime.handlers import Caller, Handlers, PolledItem
from serve_app.realtime.track_signature import sign

CHANNEL: Final = "stock:levels"
CALLBACK: Final = "product_stock"
TRACK: Final = "stock.track"

SIGNED_FOR_S: Final = 600
"""SDKs ask for another signature in time."""

MAX_KEYS: Final = 250
"""As many as the namespace lets one connection track."""


class TrackBody(msgspec.Struct):
    """What `stock.track` is given."""

    channel: str
    keys: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_KEYS)]


_track = msgspec.json.Decoder(TrackBody)


class LiveStock:
    """The callback and the method of one process. `wall()` is Unix time; an empty secret signs nothing."""

    def __init__(self, database: Database, secret: bytes, wall: Callable[[], float]) -> None:
        self._database = database
        self._secret = secret
        self._wall = wall

    def register(self, handlers: Handlers) -> None:
        """Offer both."""
        handlers.poll(CALLBACK, self.poll)
        handlers.rpc(TRACK, self.track)

    async def poll(self, channel: str, keys: Mapping[str, int]) -> Iterable[PolledItem]:
        """What is in stock now of those products that have changed. Versions are the rows' own."""
        known = {key: _product(key) for key in keys}
        wanted = {product: keys[key] for key, product in known.items() if product is not None}
        async with self._database.transaction(read_only=True) as session:
            levels = await stock.levels(session, wanted)
        unknown = [PolledItem(key, keys[key] + 1, removed=True) for key, product in known.items() if product is None]
        return [*unknown, *(_item(level, wanted[level.product_id]) for level in levels)]

    async def track(self, caller: Caller, data: bytes) -> bytes:
        """Sign what the caller wants to track. Raises CallError 103, 107 or 108."""
        if not self._secret:
            raise CallError(codes.ERROR_NOT_AVAILABLE.code)
        try:
            body = _track.decode(data)
        except msgspec.DecodeError as reason:
            raise CallError(codes.ERROR_BAD_REQUEST.code, str(reason)) from reason
        if not caller.user or body.channel != CHANNEL:
            raise CallError(codes.ERROR_PERMISSION_DENIED.code)
        if any(_product(key) is None for key in body.keys):
            raise CallError(codes.ERROR_BAD_REQUEST.code, "keys are ids of products")
        now = int(self._wall())
        signature = sign(self._secret, caller.user, CHANNEL, body.keys, issued_at=now, expires_at=now + SIGNED_FOR_S)
        return msgspec.json.encode({"signature": signature})


def _item(level: stock.Level, known: int) -> PolledItem:
    if level.stock is None:
        return PolledItem(str(level.product_id), max(level.version, known + 1), removed=True)
    return PolledItem(str(level.product_id), level.version, b'{"stock":%d}' % level.stock)


def _product(key: str) -> UUID | None:
    """The id that a key is, in the one form in which it is answered."""
    try:
        product = UUID(key)
    except ValueError:
        return None
    return product if str(product) == key else None
