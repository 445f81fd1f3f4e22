"""Repeated requests get the first answer."""

from typing import Any

import pytest
from sqlalchemy import text

from db.errors import DomainError
from db.idempotency import service
from db.idempotency.errors import KeyReused, RequestInProgress
from db.session import Database
from tests.fixtures.transactions import in_transaction, refused, value

REQUEST: dict[str, Any] = {"principal": "user:1", "route": "POST /orders", "key": "k-1", "request_body": b"{}"}
ANSWER: dict[str, Any] = {"status_code": 201, "body": b'{"id":1}', "headers": {"ETag": '"1"'}}


async def first_time(database: Database) -> None:
    async with database.transaction() as session:
        assert await service.find_answer(session, **REQUEST) is None
        await service.store_answer(session, **REQUEST, **ANSWER)


async def test_the_first_answer_is_given_again(database: Database) -> None:
    await first_time(database)
    again = await in_transaction(database, lambda s: service.find_answer(s, **REQUEST))
    assert again == service.StoredAnswer(201, {"ETag": '"1"'}, b'{"id":1}')


@pytest.mark.parametrize("other", [{"principal": "user:2"}, {"route": "POST /exports"}, {"key": "k-2"}])
async def test_keys_belong_to_one_principal_and_route(database: Database, other: dict[str, Any]) -> None:
    await first_time(database)
    assert await in_transaction(database, lambda s: service.find_answer(s, **REQUEST | other)) is None


async def test_the_same_key_with_another_request_is_refused(database: Database) -> None:
    await first_time(database)
    await refused(database, KeyReused, lambda s: service.find_answer(s, **REQUEST | {"request_body": b"[]"}))


async def test_while_the_first_is_running_the_second_is_told_so(database: Database) -> None:
    async with database.transaction() as session:
        assert await service.find_answer(session, **REQUEST) is None
        await refused(database, RequestInProgress, lambda s: service.find_answer(s, **REQUEST))
        await service.store_answer(session, **REQUEST, **ANSWER)
    assert await in_transaction(database, lambda s: service.find_answer(s, **REQUEST)) is not None


async def test_a_first_request_that_failed_leaves_the_key_free(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as session:
            await service.find_answer(session, **REQUEST)
            await service.store_answer(session, **REQUEST, **ANSWER)
            raise DomainError

    with pytest.raises(DomainError):
        await fail()
    assert await in_transaction(database, lambda s: service.find_answer(s, **REQUEST)) is None


async def test_after_a_day_the_key_is_free_again_pruned_or_not(database: Database) -> None:
    await first_time(database)
    async with database.transaction() as session:
        await session.execute(text("UPDATE app.idempotency_keys SET expires_at = now() - interval '1 second'"))
    await first_time(database)
    assert await in_transaction(database, service.prune) == 0
    async with database.transaction() as session:
        await session.execute(text("UPDATE app.idempotency_keys SET expires_at = now() - interval '1 second'"))
    assert await in_transaction(database, service.prune) == 1
    assert await value(database, "SELECT count(*) FROM app.idempotency_keys") == 0
