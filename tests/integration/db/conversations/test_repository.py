"""How one person sees conversations."""

from sqlalchemy import event, text

from db.conversations import repository
from db.session import Database
from tests.factories.auth import make_user
from tests.factories.conversations import make_conversation, make_message


async def test_views_cost_two_queries_however_many_there_are(database: Database) -> None:
    async with database.transaction() as session:
        ada, lin = await make_user(session), await make_user(session)
        for _ in range(6):
            talk = await make_conversation(session, [ada, lin])
            await make_message(session, talk, ada)
    statements: list[str] = []
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    async with database.transaction(read_only=True) as session:
        talks = (await session.scalars(repository.visible_to(lin.id))).all()
        statements.clear()
        views = await repository.views(session, talks, lin.id)
    assert len(statements) == 2
    assert [(view.unread_count, view.is_member) for view in views] == [(1, True)] * 6
    assert all(view.last_message and view.last_message.author for view in views)


async def test_what_has_no_title_is_called_after_the_others(database: Database) -> None:
    async with database.transaction() as session:
        ada, lin, bob = [await make_user(session) for _ in range(3)]
        untitled = await make_conversation(session, [ada, lin, bob], title="")
        await make_conversation(session, [ada, lin], title="Plans")
    async with database.transaction(read_only=True) as session:
        talks = (await session.scalars(repository.visible_to(lin.id))).all()
        views = await repository.views(session, talks, lin.id)
    others = {view.conversation.title: list(view.others) for view in views}
    assert others == {"": sorted([ada.username, bob.username]), "Plans": []}
    assert untitled.title == ""


async def test_a_removed_conversation_is_nobodys(database: Database) -> None:
    async with database.transaction() as session:
        ada, lin = await make_user(session), await make_user(session)
        talk = await make_conversation(session, [ada, lin])
        assert await repository.is_participant(session, talk.id, ada.id)
        await session.execute(text("UPDATE app.conversations SET deleted_at = now()"))
        assert not await repository.is_participant(session, talk.id, ada.id)
        assert await repository.visible_conversation(session, talk.id, ada.id) is None
