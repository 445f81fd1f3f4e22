"""Connections and transactions: the only place that commits.

One request, command or job is one transaction. What it means to other processes is recorded as effects beside the
rows, and handlers that upper rooms registered run once the commit is acknowledged.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import event, exc, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm.exc import StaleDataError

from cluster.settings import Settings
from cluster.tracing import span, traceparent
from db.driver_errors import examine, translate
from db.effects import Effect
from db.errors import DatabaseUnavailable, DomainError, PreconditionFailed

logger = logging.getLogger(__name__)

E = TypeVar("E", bound=Effect)

EFFECTS_KEY = "mobula.effects"

UNVERIFIED_WITHOUT = "mobula.unverified_without"
"""`session.info`: permissions that an account lacks until its e-mail address is verified. Carried by every transaction,
so that REST, API keys and realtime cannot differ about it."""

EFFECT_DEADLINE_S = 3.0
"""How long a finished request waits for shortcuts (wake a queue, push an invalidation) before it answers anyway."""

CONNECT_TIMEOUT_S = 5.0
POOL_TIMEOUT_S = 5.0
"""A request that finds no free connection for this long is answered 503, rather than joining an endless queue."""

STATEMENT_TIMEOUT_MS = 30_000
IDLE_IN_TRANSACTION_MS = 60_000
"""A handler stuck inside a transaction would hold its locks and pin vacuum; the server ends it."""

# Transaction-local, so a pooled connection never carries one caller's name into another's transaction. Jobs and
# publications that a transaction makes, also from SQL, take its trace from there.
_ACT = text("SELECT set_config('app.current_user_id', :user_id, true)")
_ACT_TRACED = text(
    "SELECT set_config('app.current_user_id', :user_id, true), set_config('app.traceparent', :trace, true)"
)


def record_effect(session: AsyncSession, effect: Effect) -> None:
    """Remember `effect`: its handlers run after this session's transaction commits, and never if it rolls back."""
    effects = session.info.setdefault(EFFECTS_KEY, {})
    effects[effect] = None  # a dict keeps order and drops repetitions


def recorded_effects(session: AsyncSession) -> list[Effect]:
    """What the session's transaction has recorded so far, in order."""
    return list(session.info.get(EFFECTS_KEY, {}))


class Database:
    """One process's pool of connections. Create one per process and event loop; `dispose()` at the end."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int,
        max_overflow: int,
        application_name: str,
        unverified_without: Collection[str] = (),
    ) -> None:
        """`url` is a libpq address (`postgresql://…`, with sslmode and the like); nothing connects before first use."""
        dsn = url.replace("postgresql+asyncpg://", "postgresql://", 1).replace("postgres://", "postgresql://", 1)

        async def connect(*_: Any, **__: Any) -> asyncpg.Connection:
            return await asyncpg.connect(
                dsn,
                timeout=CONNECT_TIMEOUT_S,
                server_settings={
                    "application_name": application_name,
                    "timezone": "UTC",
                    "jit": "off",  # our statements are short; compiling them costs more than running them
                    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
                },
            )

        self.url = dsn
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connect,
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_timeout=POOL_TIMEOUT_S,
            pool_use_lifo=True,
            hide_parameters=True,  # errors are logged, and parameters are secrets and people's data
            json_serializer=lambda value: orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode(),
            json_deserializer=orjson.loads,
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_closed)
        event.listen(self.engine.sync_engine, "handle_error", examine)
        info = {UNVERIFIED_WITHOUT: frozenset(unverified_without)}
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, info=info)
        self._handlers: dict[type[Effect], list[Callable[[Sequence[Any]], Awaitable[None]]]] = {}

    @classmethod
    def from_settings(cls, settings: Settings, *, application_name: str, most: int = 0) -> "Database":
        """The configured database. `application_name` shows in pg_stat_activity: name the process. `most`: connections
        at most, instead of what is configured for the api.
        """
        return cls(
            settings.asyncpg_dsn,
            pool_size=most or settings.database_pool_size,
            max_overflow=0 if most else settings.database_max_overflow,
            application_name=application_name,
            unverified_without=settings.unverified_without,
        )

    @asynccontextmanager
    async def transaction(
        self, *, acting_user_id: UUID | None = None, read_only: bool = False
    ) -> AsyncIterator[AsyncSession]:
        """One transaction: commits when the block ends well, rolls back when it raises, then runs effects.

        `acting_user_id` is who the audit triggers write down. A DomainError whose class `keeps_changes` commits before
        it travels on. Raises DatabaseUnavailable, DatabaseBusy, PreconditionFailed and, for a value that
        cannot be stored, InvalidInput for what the driver reports.
        """
        refusal: DomainError | None = None
        with span("db.transaction"):
            async with self._sessions() as session:
                try:
                    await _begin(session, acting_user_id, read_only=read_only)
                    try:
                        yield session
                    except DomainError as error:
                        if not error.keeps_changes:
                            raise
                        refusal = error
                    await session.commit()
                except StaleDataError as error:
                    raise PreconditionFailed from error
                except exc.DBAPIError as error:
                    raise translate(error) from error
                except exc.TimeoutError as error:
                    raise DatabaseUnavailable("No database connection became free in time.") from error
                effects = recorded_effects(session)
        if effects:
            await self._run_handlers(effects)
        if refusal is not None:
            raise refusal

    def on_commit(self, effect: type[E], handler: Callable[[Sequence[E]], Awaitable[None]]) -> None:
        """Call `handler` with the effects of this type after each transaction that recorded some.

        Handlers of one transaction run together, bounded by EFFECT_DEADLINE_S. What they raise is logged, not raised.
        """
        self._handlers.setdefault(effect, []).append(handler)

    async def dispose(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    async def _run_handlers(self, effects: Sequence[Effect]) -> None:
        calls: list[Awaitable[None]] = []
        for kind in dict.fromkeys(type(effect) for effect in effects):
            batch = [effect for effect in effects if type(effect) is kind]
            calls.extend(_guarded(handler, batch) for handler in self._handlers.get(kind, ()))
        if calls:
            await asyncio.gather(*calls)


async def _guarded(handler: Callable[[Sequence[Any]], Awaitable[None]], batch: Sequence[Effect]) -> None:
    """Run one handler. The rows are committed, so nothing that goes wrong here may fail the request."""
    try:
        async with asyncio.timeout(EFFECT_DEADLINE_S):
            await handler(batch)
    except Exception:
        name = getattr(handler, "__qualname__", repr(handler))
        logger.exception("after-commit handler failed", extra={"handler": name, "effects": len(batch)})


async def _begin(session: AsyncSession, acting_user_id: UUID | None, *, read_only: bool) -> None:
    """Take a connection and start; a server that cannot be reached is reported here, before the caller's block runs."""
    options = {"postgresql_readonly": True} if read_only else {}
    try:
        await session.connection(execution_options=options)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable from error
    if read_only:
        return
    trace = traceparent()
    if trace:
        values = {"user_id": "" if acting_user_id is None else str(acting_user_id), "trace": trace}
        await session.execute(_ACT_TRACED, values)
    elif acting_user_id is not None:
        await session.execute(_ACT, {"user_id": str(acting_user_id)})


def _refuse_closed(dbapi_connection: Any, record: Any, proxy: Any) -> None:
    """Replace a pooled connection that the server closed (a restart) without asking the server each time."""
    if dbapi_connection.driver_connection.is_closed():
        raise exc.DisconnectionError("the server closed this connection")
