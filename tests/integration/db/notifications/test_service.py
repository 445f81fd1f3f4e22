"""Notices."""

from uuid import uuid4

from db.notifications import service
from db.notifications.errors import NotificationNotFound
from db.session import Database
from tests.factories.auth import make_user
from tests.factories.notifications import make_notification
from tests.fixtures.transactions import in_transaction, publications, refused


async def test_a_notice_is_stored_and_pushed_as_clients_see_it(database: Database) -> None:
    user = await in_transaction(database, make_user)
    notice = await in_transaction(database, lambda s: make_notification(s, user, title="Look", data={"a": [1]}))
    assert await publications(database, f"user:#{user.id}") == [
        {"type": "notification", "notification": service.as_payload(notice)}
    ]
    assert service.as_payload(notice)["data"] == {"a": [1]}


async def test_an_unread_notice_under_the_same_key_is_replaced_and_a_read_one_is_not(database: Database) -> None:
    user = await in_transaction(database, make_user)

    def tell(title: str) -> object:
        return in_transaction(database, lambda s: make_notification(s, user, title=title, collapse_key="talk"))

    first = await tell("one")  # type: ignore[misc]
    second = await tell("two")  # type: ignore[misc]
    assert (second.id, second.title) == (first.id, "two")
    await in_transaction(database, lambda s: service.mark_read(s, user.id, first.id))
    third = await tell("three")  # type: ignore[misc]
    assert third.id != first.id
    assert len(await publications(database, f"user:#{user.id}")) == 3, "each is pushed"


async def test_lists_are_newest_first_and_can_leave_out_what_was_read(database: Database) -> None:
    user = await in_transaction(database, make_user)
    made = [await in_transaction(database, lambda s: make_notification(s, user)) for _ in range(4)]
    await in_transaction(database, make_notification)  # somebody else's
    await in_transaction(database, lambda s: service.mark_read(s, user.id, made[1].id))
    page = await in_transaction(database, lambda s: service.list_notifications(s, user.id, limit=3))
    assert ([n.id for n in page.items], page.total) == ([n.id for n in made[:0:-1]], 4)
    unread = await in_transaction(database, lambda s: service.list_notifications_by_cursor(s, user.id, unread=True))
    assert [n.id for n in unread.items] == [made[3].id, made[2].id, made[0].id]
    assert await in_transaction(database, lambda s: service.unread_count(s, user.id)) == 3
    assert await in_transaction(database, lambda s: service.mark_all_read(s, user.id)) == 3
    assert await in_transaction(database, lambda s: service.unread_count(s, user.id)) == 0


async def test_reading_is_repeatable_and_only_for_the_owner(database: Database) -> None:
    user, stranger = await in_transaction(database, make_user), await in_transaction(database, make_user)
    notice = await in_transaction(database, lambda s: make_notification(s, user))
    await refused(database, NotificationNotFound, lambda s: service.mark_read(s, stranger.id, notice.id))
    await refused(database, NotificationNotFound, lambda s: service.mark_read(s, user.id, uuid4()))
    await in_transaction(database, lambda s: service.mark_read(s, user.id, notice.id))
    first = (await in_transaction(database, lambda s: service.list_notifications(s, user.id))).items[0].read_at
    await in_transaction(database, lambda s: service.mark_read(s, user.id, notice.id))
    assert (await in_transaction(database, lambda s: service.list_notifications(s, user.id))).items[0].read_at == first
