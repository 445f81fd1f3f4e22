"""The actors' clients without actors: they do what the contract says in this process, and remember what was asked."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from actors.caches.contract import Tags
from actors.sessions.contract import HubAnswers, RefreshOrder, SessionRecord, SubscribeOrder


class FakeCache:
    """`actors.caches.contract.CacheClient`: keeps what is loaded until it is invalidated."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[Any, frozenset[str]]] = {}
        self.loads: list[str] = []
        self.asked_at_least: list[str] = []
        self.invalidations = 0

    async def get_or_load(
        self,
        key: str,
        load: Callable[[], Awaitable[Any]],
        *,
        ttl_s: float,
        tags: Tags = (),
        at_least: str = "",
    ) -> Any:
        self.asked_at_least.append(at_least)
        if key not in self.values:
            self.loads.append(key)
            value = await load()
            self.values[key] = (value, frozenset(tags(value) if callable(tags) else tags))
        return self.values[key][0]

    async def invalidate(self, *, keys: Sequence[str] = (), tags: Sequence[str] = ()) -> str:
        for key, (_, made_of) in list(self.values.items()):
            if key in keys or not made_of.isdisjoint(tags):
                del self.values[key]
        self.invalidations += 1
        return f"0:cafecafe:{self.invalidations}"


class FakeSessions:
    """`actors.sessions.contract.SessionClient`: remembers revocations and messages."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.revoked: list[tuple[str, str]] = []
        self.revoked_tokens: list[tuple[str, str, int, str]] = []
        self.blocked: list[tuple[str, int]] = []
        self.unsubscribed: list[tuple[str, str, int]] = []
        self.nodes: set[str] = set()
        self.emulated: list[tuple[str, str, bytes]] = []

    def register(self, record: SessionRecord, on_result: Callable[[bool], None]) -> None:
        on_result((record.user, record.session) not in self.revoked and (record.user, "") not in self.revoked)

    def unregister(self, client: str, user: str, channel: str = "") -> None:
        pass

    async def connections(self, user: str) -> Sequence[SessionRecord]:
        return []

    async def disconnect_user(
        self, user: str, *, code: int, reason: str, session: str = "", client: str = "", exclude: Sequence[str] = ()
    ) -> int:
        return 0

    async def revoke(self, user: str, *, session: str = "") -> int:
        self.revoked.append((user, session))
        return 0

    async def revoke_tokens(
        self, *, user: str = "", token_id: str = "", issued_before_ms: int = 0, channel: str = ""
    ) -> int:
        self.revoked_tokens.append((user, token_id, issued_before_ms, channel))
        return 0

    async def block(self, user: str, *, until_ms: int) -> int:
        self.blocked.append((user, until_ms))
        return 0

    async def send_to_user(self, user: str, data: bytes, *, session: str = "", client: str = "") -> int:
        self.sent.append((user, data))
        return 0

    async def emulate(self, node: str, session: str, data: bytes) -> bool:
        self.emulated.append((node, session, data))
        return node in self.nodes

    async def subscribe_user(self, user: str, order: SubscribeOrder, *, session: str = "", client: str = "") -> int:
        return 0

    async def unsubscribe_user(
        self, user: str, channel: str, *, code: int, reason: str, session: str = "", client: str = ""
    ) -> int:
        self.unsubscribed.append((user, channel, code))
        return 0

    async def refresh_user(self, user: str, order: RefreshOrder, *, session: str = "", client: str = "") -> int:
        return 0

    async def ask_hubs(self, question: bytes, *, hub: str = "") -> HubAnswers:
        return HubAnswers({})


class Calls:
    """A coroutine function that remembers its arguments."""

    def __init__(self) -> None:
        self.made: list[list[str]] = []

    async def __call__(self, names: Sequence[str]) -> None:
        self.made.append(list(names))
