"""Passwords: which are good enough, and how they are stored (argon2id, through passlib's interface from libpass)."""

import asyncio
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from passlib.hash import argon2  # type: ignore[attr-defined]
from zxcvbn import zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from cluster.settings import Settings
from db.errors import Unavailable

ResultT = TypeVar("ResultT")

MIN_CHARACTERS = 12
MAX_CHARACTERS = 128
MIN_DISTINCT_CHARACTERS = 5
MIN_OWN_CHARACTERS = 8
"""What must remain of a password once words that everybody knows about its owner are taken out."""

MIN_CONTEXT_CHARACTERS = 4
SCORED_CHARACTERS = 72
"""zxcvbn refuses more."""

MIN_SCORE = 2
"""zxcvbn's 0 and 1: fewer than a million guesses, which is keyboard walks and counting."""

MAX_WAITING = 64
"""Hashes that may queue per process: beyond it, answering 503 at once is kinder than a minute's wait."""

APPLICATION_WORDS = ("mobula",)
UNDO_LEET = str.maketrans("013457@$!", "oleastasi")


class HasherBusy(Unavailable):
    """More passwords are being checked than this process can."""

    code = "hasher_busy"


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """30,000 passwords that attackers try first."""
    return frozenset(FREQUENCY_LISTS["passwords"])


def normalised_forms(password: str) -> set[str]:
    """What a password amounts to without decoration: case, accents, digits for letters, affixes, repetition."""
    plain = unicodedata.normalize("NFKD", password).casefold()
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    forms = {plain}
    for form in (plain, *_undecorated(plain)):  # digits at the ends are decoration first, letters only then
        spoken = form.translate(UNDO_LEET)
        forms |= {form, spoken, *_undecorated(spoken)}
    for form in tuple(forms):
        if repeated := re.fullmatch(r"(.+?)\1+", form):
            forms.add(repeated.group(1))
    return {form for form in forms if len(form) >= MIN_CONTEXT_CHARACTERS}


def _undecorated(form: str) -> tuple[str, str, str]:
    return (
        re.sub(r"[\W_]+", "", form),
        re.sub(r"^[\W\d_]+|[\W\d_]+$", "", form),
        re.sub(r"[\W\d_]+", "", form),
    )


@dataclass(frozen=True, slots=True)
class PasswordReport:
    """Why a password is refused (`problems`, empty when it is not), and advice: a score from 0 to 4, and warnings."""

    problems: tuple[str, ...]
    score: int
    warnings: tuple[str, ...]

    @property
    def acceptable(self) -> bool:
        """Whether it may be used."""
        return not self.problems


def validate_password_strength(password: str, context: Iterable[str] = ()) -> PasswordReport:
    """Judge a new password. `context` are words about its owner: e-mail address, username.

    Length, lists and guessability decide; there are no rules about kinds of characters (ASVS 6.2.5).
    """
    problems: list[str] = []
    if len(password) < MIN_CHARACTERS:
        problems.append(f"It is shorter than {MIN_CHARACTERS} characters.")
    if len(password) > MAX_CHARACTERS:
        problems.append(f"It is longer than {MAX_CHARACTERS} characters.")
        return PasswordReport(tuple(problems), 0, ())
    if len(set(password)) < MIN_DISTINCT_CHARACTERS:
        problems.append("It repeats too few characters.")
    if not common_passwords().isdisjoint(normalised_forms(password)):
        problems.append("It is, or merely decorates, one of the most common passwords.")
    words = _context_words(context)
    own = password.casefold()
    for word in words:
        own = own.replace(word, "")
    if own != password.casefold() and len(own) < MIN_OWN_CHARACTERS:
        problems.append("It is mostly made of your name or ours.")
    advice = zxcvbn(password[:SCORED_CHARACTERS], user_inputs=words)  # type: ignore[no-untyped-call]
    if int(advice["score"]) < MIN_SCORE and not problems:
        problems.append("It can be guessed in less than a million tries.")
    warnings = [advice["feedback"]["warning"], *advice["feedback"]["suggestions"]]
    return PasswordReport(tuple(problems), int(advice["score"]), tuple(warning for warning in warnings if warning))


def _context_words(context: Iterable[str]) -> list[str]:
    words = set(APPLICATION_WORDS)
    for text in context:
        local_part = text.casefold().partition("@")[0]
        words.add(local_part)
        words.update(re.split(r"[^\w]+|_", local_part))
    return sorted((word for word in words if len(word) >= MIN_CONTEXT_CHARACTERS), key=len, reverse=True)


class PasswordHasher:
    """Hashes and verifies in a small pool of threads: argon2 releases the GIL; the pool bounds its memory."""

    def __init__(self, *, memory_kib: int, time_cost: int, threads: int | None = None) -> None:
        self._scheme: Any = argon2.using(  # type: ignore[no-untyped-call]
            type="ID", memory_cost=memory_kib, time_cost=time_cost, parallelism=1
        )
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="argon2")
        self._waiting = 0
        self._dummy: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> "PasswordHasher":
        """A hasher with the configured cost."""
        return cls(memory_kib=settings.argon2_memory_kib, time_cost=settings.argon2_time_cost)

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await self._run(lambda: str(self._scheme.hash(password)))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password belongs to the hash. None (no such account) and what is no hash (an account without a
        password) take as long, and are False.
        """

        def check() -> bool:
            if stored is not None and self._scheme.identify(stored):
                try:
                    return bool(self._scheme.verify(password, stored))
                except (ValueError, TypeError):  # it begins like a hash, and is cut off
                    pass
            if self._dummy is None:
                self._dummy = str(self._scheme.hash("a password that nobody has"))
            self._scheme.verify(password, self._dummy)
            return False

        return await self._run(check)

    def needs_rehash(self, stored: str) -> bool:
        """Whether the hash was made with other costs than today's."""
        return bool(self._scheme.needs_update(stored))

    async def judge(self, password: str, context: Iterable[str] = ()) -> PasswordReport:
        """`validate_password_strength` off the event loop: scoring takes up to 20 ms."""
        words = tuple(context)
        return await self._run(lambda: validate_password_strength(password, words))

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], ResultT]) -> ResultT:
        if self._waiting >= MAX_WAITING:
            raise HasherBusy(retry_after_s=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1
