"""Text search that works on every server: trigrams where pg_trgm is installed, substrings and words elsewhere."""

from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Engine, func, or_, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from db.errors import InvalidInput

MAX_QUERY = 100
"""Longer searches cost more than they find."""

_trigrams: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()


async def has_trigrams(session: AsyncSession) -> bool:
    """Whether this database compares by trigrams; asked once per pool."""
    engine = (await session.connection()).engine.sync_engine
    if engine not in _trigrams:
        found = await session.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'"))
        _trigrams[engine] = found is not None
    return _trigrams[engine]


def contains(column: InstrumentedAttribute[str], query: str) -> ColumnElement[bool]:
    """`query` is part of the column, whatever its case; % and _ mean themselves. Uses the trigram index."""
    return func.lower(column).contains(query.lower(), autoescape=True)


async def matches(session: AsyncSession, query: str, *columns: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Some column contains `query`, or, with trigrams, a word very much like it (a typing error)."""
    query = check_query(query)
    terms: list[ColumnElement[bool]] = [contains(column, query) for column in columns]
    if len(query) >= 4 and await has_trigrams(session):
        # Shorter ones have so few trigrams that everything is alike.
        terms.extend(func.lower(column).op("%>", is_comparison=True)(query.lower()) for column in columns)
    return or_(*terms)


def check_query(query: str) -> str:
    """The search text without surrounding blanks. Raises InvalidInput."""
    query = query.strip()
    if not query or len(query) > MAX_QUERY or "\x00" in query:
        raise InvalidInput(f"1 to {MAX_QUERY} characters", field="q")
    return query
