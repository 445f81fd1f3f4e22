"""`python -m db.auth.appointing`: the same as `./mobula admin`.

Registration gives the role `customer`, and giving another one needs an administrator: the first one is appointed by
whoever holds the machine.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import exc, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cluster.settings import ProductionRefused, Settings, get_settings
from db import audit
from db.auth import accounts, one_time, repository
from db.auth.errors import UnknownRole, UsernameTaken
from db.auth.hashing import UNUSABLE
from db.auth.models import Role, User
from db.auth.permissions import ADMIN
from db.errors import DomainError
from db.session import Database

UNDEFINED_TABLE = "42P01"

SHORTEST = 2
"""Characters of a username."""


class AppointmentRefused(Exception):
    """Nothing was changed. Says what to do; it is never answered over HTTP."""


class AccountDisabled(AppointmentRefused):
    """Enabling is a decision of its own."""

    def __init__(self) -> None:
        super().__init__("this account is disabled: let an administrator enable it, or name another address")


class AddressUnverified(AppointmentRefused):
    """Anybody may register anybody's address: the role might go to somebody else than was meant."""

    def __init__(self) -> None:
        super().__init__(
            "nobody has verified that this account's address is theirs: follow the link that was mailed there, or say "
            "--unverified if you know whose account it is"
        )


@dataclass(frozen=True, slots=True)
class Appointed:
    """Whom, and what was changed. `created`: there was no account with this address."""

    user: User
    before: tuple[str, ...]
    roles: tuple[str, ...]
    created: bool

    @property
    def has_no_password(self) -> bool:
        """Whether somebody still has to choose the first one."""
        return self.user.password_hash == UNUSABLE


async def appoint(
    session: AsyncSession, email: str, roles: Iterable[str], *, username: str = "", unverified: bool = False
) -> Appointed:
    """Give these roles beside those that the account has; make it when there is none.

    Whoever may run this vouches for the address of an account that it makes. An address that is registered and not
    verified may be anybody's: AddressUnverified, unless `unverified`. Raises AccountDisabled, UnknownRole,
    UsernameTaken, InvalidInput.
    """
    user = await repository.user_by_email(session, accounts.check_email(email))
    created = user is None
    if user is None:
        user = await accounts.register(
            session,
            email=email,
            username=username or _username_from(email),
            password_hash=UNUSABLE,
            roles=(),
            is_verified=True,
        )
        await audit.record(session, "user.created", subject_type="user", subject_id=user.id)
    elif not user.is_active:
        raise AccountDisabled
    elif not user.is_verified and not unverified:
        raise AddressUnverified
    await session.execute(select(User.id).where(User.id == user.id).with_for_update())
    before = (await repository.roles_of(session, [user.id]))[user.id]
    wanted = tuple(sorted({*before, *roles}))
    await accounts.set_roles(session, user.id, wanted)
    if wanted != before:
        user.updated_at = func.now()  # raises the version: who is editing the account is too late
        await session.flush()
    return Appointed(user, before, wanted, created)


async def first_password_link(session: AsyncSession, user: User, public_url: str) -> str:
    """Where the owner chooses a password, once. In another transaction than made the account: a link is younger."""
    text = await one_time.issue(session, user.id, one_time.RESET_PASSWORD, {"email": user.email})
    await audit.record(session, "password.reset_requested", subject_type="user", subject_id=user.id)
    return f"{public_url}/reset-password#{text}"


def main(argv: list[str] | None = None) -> int:
    """Read arguments, appoint in the configured database, say what happened."""
    parser = argparse.ArgumentParser(prog="python -m db.auth.appointing", description="Give an account roles.")
    parser.add_argument("email")
    parser.add_argument("--role", action="append", dest="roles")
    parser.add_argument("--username", default="")
    parser.add_argument("--unverified", action="store_true")
    arguments = parser.parse_args(argv)
    try:
        sys.stdout.write(asyncio.run(_run(get_settings(), arguments)) + "\n")
    except (AppointmentRefused, DomainError, ProductionRefused, ValueError) as refusal:
        sys.stderr.write(f"✗ {refusal}\n")
        return 1
    except exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != UNDEFINED_TABLE:
            raise
        sys.stderr.write("✗ this database has no tables yet: ./mobula up, or ./mobula migrate up\n")
        return 1
    return 0


async def _run(settings: Settings, arguments: argparse.Namespace) -> str:
    database = Database(settings.asyncpg_dsn, pool_size=1, max_overflow=0, application_name="mobula-admin")
    try:
        async with database.transaction() as session:
            try:
                done = await appoint(
                    session,
                    arguments.email,
                    arguments.roles or [ADMIN],
                    username=arguments.username,
                    unverified=arguments.unverified,
                )
            except UnknownRole as refusal:
                known = sorted(await session.scalars(select(Role.name)))
                raise UnknownRole(f"{refusal}; there are {', '.join(known)}", field="roles") from refusal
            except UsernameTaken as refusal:
                raise UsernameTaken(f"{refusal} Choose another one: --username NAME") from refusal
        lines = [_sentence(done)]
        if done.has_no_password:
            async with database.transaction() as session:
                link = await first_password_link(session, done.user, settings.public_url)
            minutes = one_time.LIFETIMES[one_time.RESET_PASSWORD].seconds // 60
            lines += [
                f"Choose the password here, within {minutes} minutes (the same command gives another link):",
                link,
            ]
        return "\n".join(lines)
    finally:
        await database.dispose()


def _sentence(done: Appointed) -> str:
    roles = ", ".join(done.roles)
    if done.created:
        return f"Made the account {done.user.username} of {done.user.email}, with the roles: {roles}."
    if done.before == done.roles:
        return f"{done.user.email} has these roles already: {roles}."
    return f"{done.user.email} now has the roles: {roles} (before: {', '.join(done.before) or 'none'})."


def _username_from(email: str) -> str:
    """What the address begins with, without what a username may not contain."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", email.strip().partition("@")[0]).strip("-_.")
    return name[:50] if len(name) >= SHORTEST else f"user-{name}".rstrip("-")


if __name__ == "__main__":
    sys.exit(main())
