"""The first administrator, appointed by whoever holds the machine."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from cluster.settings import Settings
from db.auth import appointing, password_reset, service
from db.auth.appointing import AccountDisabled, AddressUnverified
from db.auth.hashing import UNUSABLE
from db.auth.permissions import PERMISSIONS, ROLES
from db.session import Database
from tests.factories.auth import make_user
from tests.fixtures.transactions import in_transaction, refused, rows, value


async def appoint(database: Database, email: str, *roles: str, **options: Any) -> appointing.Appointed:
    return await in_transaction(database, lambda s: appointing.appoint(s, email, roles or ("admin",), **options))


async def test_an_account_gets_the_role_beside_those_that_it_has(database: Database) -> None:
    ada = await in_transaction(database, lambda s: make_user(s, email="Ada@example.com"))
    done = await appoint(database, " ada@EXAMPLE.com ")
    assert (done.user.id, done.created, done.has_no_password) == (ada.id, False, False)
    assert done.user.version == ada.version + 1, "who is editing it is too late"
    assert (done.before, done.roles) == (("customer",), ("admin", "customer"))
    identity = await in_transaction(database, lambda s: service.load_identity(s, ada.id))
    assert identity is not None
    assert identity.permissions == frozenset(PERMISSIONS)
    found = await rows(database, "SELECT actor_id, details FROM audit.entries WHERE action = 'roles.changed'")
    assert found[-1] == (None, {"before": ["customer"], "after": ["admin", "customer"]})
    again = await appoint(database, "ada@example.com")
    assert again.user.version == done.user.version
    assert again.before == again.roles == ("admin", "customer")


async def test_an_unknown_address_gets_an_account_whose_password_a_link_chooses(database: Database) -> None:
    done = await appoint(database, "boss@example.com", "operator")
    assert (done.created, done.has_no_password, done.roles) == (True, True, ("operator",))
    assert (done.user.username, done.user.password_hash, done.user.is_verified) == ("boss", UNUSABLE, True)
    identity = await in_transaction(database, lambda s: service.load_identity(s, done.user.id))
    assert identity is not None
    assert identity.permissions == ROLES["operator"]
    link = await in_transaction(database, lambda s: appointing.first_password_link(s, done.user, "https://x.example"))
    address, _, secret = link.partition("#")
    assert address == "https://x.example/reset-password"
    assert (await in_transaction(database, lambda s: password_reset.spend(s, secret))).id == done.user.id
    assert await value(database, "SELECT count(*) FROM audit.entries WHERE action = 'user.created'") == 1


async def test_an_address_that_anybody_may_have_registered_is_refused(database: Database) -> None:
    await in_transaction(database, lambda s: make_user(s, email="boss@example.com", is_verified=False))
    await refused(database, AddressUnverified, lambda s: appointing.appoint(s, "boss@example.com", ["admin"]))
    assert (await appoint(database, "boss@example.com", unverified=True)).roles == ("admin", "customer")


async def test_a_disabled_account_is_refused(database: Database) -> None:
    await in_transaction(database, lambda s: make_user(s, email="boss@example.com"))
    async with database.transaction() as session:
        await session.execute(text("UPDATE auth.users SET is_active = false"))
    await refused(database, AccountDisabled, lambda s: appointing.appoint(s, "boss@example.com", ["admin"]))


@pytest.mark.parametrize(
    ("email", "name"),
    [
        ("ada.b+shop@example.com", "ada.b-shop"),
        ("_x@example.com", "user-x"),
        ("ä@example.com", "user"),
        (f"{'a' * 80}@example.com", "a" * 50),
    ],
)
async def test_a_name_is_made_of_the_address(database: Database, email: str, name: str) -> None:
    assert (await appoint(database, email)).user.username == name


class TestCommand:
    """`main`, as `./mobula admin` starts it."""

    @pytest.fixture
    def settings(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> Settings:
        settings = Settings(_env_file=None, database_url=database.url, public_url="https://shop.example")
        monkeypatch.setattr(appointing, "get_settings", lambda: settings)
        return settings

    async def run(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
        status = await asyncio.to_thread(appointing.main, list(arguments))
        said = capsys.readouterr()
        return status, said.out + said.err

    async def test_it_prints_a_link_until_somebody_chose_a_password(
        self, database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for beginning in ("Made the account boss", "boss@example.com has these roles already: admin"):
            status, said = await self.run(capsys, "boss@example.com")
            assert status == 0
            assert said.startswith(beginning)
            secret = said.strip().rpartition("https://shop.example/reset-password#")[2]
            assert await in_transaction(database, lambda s, secret=secret: password_reset.look(s, secret))
        async with database.transaction() as session:
            await session.execute(text("UPDATE auth.users SET password_hash = 'chosen'"))
        status, said = await self.run(capsys, "boss@example.com", "--role", "operator", "--role", "analyst")
        assert (status, "reset-password" in said) == (0, False)
        assert "now has the roles: admin, analyst, operator (before: admin)" in said

    async def test_refusals_name_a_remedy(
        self, database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        await in_transaction(
            database, lambda s: make_user(s, username="boss", email="b@example.com", is_verified=False)
        )
        for arguments, remedy in (
            (("b@example.com",), "--unverified"),
            (("boss@example.com",), "--username NAME"),
            (("new@example.com", "--role", "king"), "there are admin, analyst, customer, operator"),
            (("nobody",), "not an e-mail address"),
        ):
            status, said = await self.run(capsys, *arguments)
            assert status == 1, arguments
            assert remedy in said, arguments
        assert await value(database, "SELECT count(*) FROM auth.users") == 1

    async def test_a_database_without_tables_is_said(
        self,
        database: Database,
        settings: Settings,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        bare = settings.database_url.get_secret_value().rpartition("/")[0] + "/postgres"
        monkeypatch.setattr(appointing, "get_settings", lambda: Settings(_env_file=None, database_url=bare))
        status, said = await self.run(capsys, "boss@example.com")
        assert status == 1
        assert "./mobula migrate up" in said
