"""Finding accounts."""

from db.session import Database
from db.users import repository, service
from tests.factories.auth import make_organisation, make_user


async def test_only_active_people_are_found_by_id_and_by_name(database: Database) -> None:
    async with database.transaction() as session:
        ada, gone = await make_user(session, username="Ada"), await make_user(session, username="gone")
        await service.update_user(session, gone.id, {"is_active": False})
        assert await repository.by_ids(session, [ada.id, gone.id]) == {ada.id: ada}
        assert await repository.by_usernames(session, [" ADA ", "gone", "nobody"]) == {"ada": ada}


async def test_holders_of_a_role_are_those_who_can_use_it(database: Database) -> None:
    async with database.transaction() as session:
        one = await make_user(session, roles=("operator",))
        two = await make_user(session, roles=("operator",))
        await make_user(session)
        assert await repository.active_with_role(session, "operator") == {one.id, two.id}
        await service.delete_user(session, two.id)
        assert await repository.active_with_role(session, "operator") == {one.id}
        assert await repository.active_with_role(session, "nothing") == set()


async def test_a_tenants_people_are_its_own(database: Database) -> None:
    async with database.transaction() as session:
        org = await make_organisation(session)
        mine = await make_user(session, org_id=org.id)
        await make_user(session)
        assert list(await session.scalars(await repository.filtered(session, org_id=org.id))) == [mine]
