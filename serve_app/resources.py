"""The clients that one api process holds, from its lifespan on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from redis.asyncio import Redis

from actors.brokers.contract import BrokerClient
from actors.caches.contract import CacheClient, Tags
from actors.hosts.survey import HostProcess
from actors.jobs.handle import Woken
from actors.metrics.registry import CACHE_HIT_RATE, CACHE_READS, DATABASE_POOL_SIZE
from actors.metrics.snapshot import Snapshot
from actors.protocol.namespaces import Namespaces
from actors.sessions.contract import SessionClient
from cluster import proxies
from cluster.settings import Settings
from db.auth.permissions import PERMISSIONS
from db.auth.sealing import Sealer
from db.session import Database
from serve_app.middleware.access_log import AccessLines
from serve_app.middleware.context import AddressFinder
from serve_app.realtime.handlers import Handlers
from serve_app.realtime.session_ids import SessionIds
from serve_app.security.authenticator import Authenticator
from serve_app.security.credentials import check_key, check_session
from serve_app.security.keys import KeyFile, Keys
from serve_app.security.links import LinkSigner
from serve_app.security.passwords import PasswordHasher
from serve_app.security.quota import QuotaKeeper
from serve_app.security.tokens import TokenIssuer, TokenVerifier

ValueT = TypeVar("ValueT")

_HITS, _MISSES = CACHE_READS.labels("hit"), CACHE_READS.labels("miss")
"""Looked up once: that costs more than counting."""


async def _nothing() -> None:
    """Nothing to open or close."""


async def _nobody(_names: Sequence[Any]) -> None:
    """Nobody to wake: jobs and publications are found by their owner's next look."""


@dataclass(slots=True, kw_only=True)
class ActorClients:
    """What reaches the actors. Every field may be missing: REST works without Ray, only less well."""

    brokers: BrokerClient | None = None
    sessions: SessionClient | None = None
    cache: CacheClient | None = None
    wake_jobs: Callable[[Sequence[Woken]], Awaitable[None]] = _nobody
    poke_channels: Callable[[Sequence[str]], Awaitable[None]] = _nobody
    merged_metrics: Callable[[], Awaitable[Snapshot]] | None = None
    """The metrics of all processes, added up."""
    survey_hosts: Callable[[], Awaitable[Sequence[HostProcess]]] | None = None
    """The processes that host shards, as they are now."""
    bucket_owners: Callable[[], Awaitable[Mapping[int, int]]] | None = None
    """Bucket → broker shard. Raises when no broker shard answers."""
    check: Callable[[], Awaitable[None]] | None = None
    """Raises unless the actors answer; None when there are none to ask."""
    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing


@dataclass(slots=True, kw_only=True)
class Resources:
    """Everything that handlers reach beyond their own process, and what is made once per process."""

    settings: Settings
    database: Database
    actors: ActorClients
    valkey: "Redis | None"
    boot_id: str
    issuer: TokenIssuer
    verifier: TokenVerifier
    keys: Keys
    passwords: PasswordHasher
    sealer: Sealer
    links: LinkSigner
    session_ids: SessionIds
    addresses: AddressFinder
    authenticator: Authenticator
    keeper: QuotaKeeper
    lines: AccessLines = field(default_factory=AccessLines)
    handlers: Handlers = field(default_factory=Handlers)
    """What the application registered (`mobula.realtime`): the server API's `rpc` calls it."""
    namespaces: Namespaces | None = None
    """The rules of channels when this process started; realtime processes may have newer ones."""
    draining: bool = False
    """Set when the replica is being replaced: readiness fails, requests are still answered."""

    @classmethod
    def assemble(
        cls,
        settings: Settings,
        database: Database,
        *,
        actors: ActorClients | None = None,
        keys: Keys | None = None,
        boot_id: str = "",
    ) -> "Resources":
        """Put the parts together. Connects to nothing yet, and raises ValueError for a secret that is missing."""
        if unknown := sorted(set(settings.unverified_without) - PERMISSIONS.keys()):
            raise ValueError(f"UNVERIFIED_WITHOUT: there is no permission '{unknown[0]}'")
        keys = keys or KeyFile.from_settings(settings)
        valkey = _open_valkey(settings)
        addresses = AddressFinder(proxies.trusted(settings))
        verifier = TokenVerifier.from_settings(settings, keys)
        return cls(
            settings=settings,
            database=database,
            actors=actors or ActorClients(),
            valkey=valkey,
            boot_id=boot_id or uuid4().hex,
            issuer=TokenIssuer.from_settings(settings, keys),
            verifier=verifier,
            keys=keys,
            passwords=PasswordHasher.from_settings(settings),
            sealer=Sealer.from_settings(settings),
            links=LinkSigner.from_settings(settings),
            session_ids=SessionIds(settings.secret_key.get_secret_value().encode()),
            addresses=addresses,
            authenticator=Authenticator(
                verifier,
                check_session=lambda claims, method: check_session(database, claims, method),
                check_key=lambda key, address: check_key(database, key, address),
                addresses=addresses,
                allowed_origins=frozenset({settings.public_url, *settings.backend_cors_origins}),
                secure_cookies=settings.environment == "production",
                operator_networks=settings.operator_networks,
            ),
            keeper=QuotaKeeper(valkey),
            handlers=Handlers(database),
        )

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies carry `Secure` and its name prefixes: in production, where there is TLS."""
        return self.settings.environment == "production"

    async def cached(
        self,
        key: str,
        load: Callable[[], Awaitable[ValueT]],
        *,
        ttl_s: float,
        tags: Tags = (),
        at_least: str = "",
    ) -> ValueT:
        """A JSON-compatible value through the cache, or straight from `load` when there is no cache.

        `at_least`: the caller's `Cache-Version`; what it names has taken effect in the answer.
        """
        cache = self.actors.cache
        if cache is None:
            return await load()
        loaded = False

        async def counted() -> ValueT:
            nonlocal loaded
            loaded = True
            return await load()

        value: ValueT = await cache.get_or_load(key, counted, ttl_s=ttl_s, tags=tags, at_least=at_least)
        (_MISSES if loaded else _HITS).inc()
        return value

    def measure(self) -> None:
        """Set the gauges that are read rather than counted."""
        pool: Any = self.database.engine.pool
        DATABASE_POOL_SIZE.set(pool.checkedin() + pool.checkedout())
        hits, misses = (counter._value.get() for counter in (_HITS, _MISSES))
        if hits + misses:
            CACHE_HIT_RATE.set(100 * hits / (hits + misses))

    async def close(self) -> None:
        """Let everything go, in the order that lets the last lines and numbers out."""
        await self.actors.stop()
        self.passwords.close()
        self.lines.flush()
        if self.valkey is not None:
            await self.valkey.aclose()
        await self.database.dispose()


def _open_valkey(settings: Settings) -> "Redis | None":
    url = settings.redis_url.get_secret_value()
    if not url:
        return None
    return Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=1.0, health_check_interval=15)
