"""Invented people."""

import random
import re

from db.auth.permissions import ROLES
from db.seed.people import DEMO_PEOPLE, invent_message, invent_people


def test_people_have_distinct_names_that_registration_would_accept() -> None:
    people = list(invent_people(random.Random(1), 5_000))
    assert len(people) == 5_000
    assert len({person.username.lower() for person in people}) == 5_000
    assert len({person.email.lower() for person in people}) == 5_000
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.]{1,49}", person.username) for person in people)
    assert all(person.email.isascii() for person in people)


def test_the_demo_accounts_come_first_with_their_roles() -> None:
    people = list(invent_people(random.Random(1), 10))
    assert tuple(people[:5]) == DEMO_PEOPLE
    assert {person.username: person.role for person in DEMO_PEOPLE} == {
        "admin": "admin", "operator": "operator", "analyst": "analyst", "ada": "customer", "lin": "customer",
    }  # fmt: skip
    assert {person.role for person in people} <= ROLES.keys()
    assert not any(person.is_demo for person in people[5:])


def test_everybody_says_something() -> None:
    rng = random.Random(1)
    assert all(invent_message(rng, number) for number in range(1, 50))
