"""Invented people from all over, and what they say."""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from db.auth.permissions import ADMIN, ANALYST, CUSTOMER, OPERATOR

FIRST = (
    "Ada", "Lin", "Grace", "Mateo", "Aisha", "Noah", "Yuki", "Elif", "Priya", "Jonas", "Zofia", "Omar", "Chloé", "Luca",
    "Ingrid", "Tariq", "Mei", "Sofía", "Henrik", "Amara", "Diego", "Freya", "Ravi", "Nadia", "Tomás", "Hana", "Viktor",
    "Leila", "Callum", "Anouk", "Kwame", "Sven", "Maryam", "Felix", "Ines", "Arjun", "Clara", "Idris", "Paula", "Emil",
    "Nia", "Oscar", "Rania", "Hugo", "Saoirse", "Bruno", "Thandiwe", "Marek", "Alba", "Jun", "Beatriz", "Rowan", "Lars",
    "Esra", "Mina", "Pablo", "Wren", "Kofi", "Agnes", "Theo", "Salma", "Piotr", "Maja", "Ibrahim", "Juno", "Milan",
)  # fmt: skip
LAST = (
    "Lovelace", "Wei", "Hopper", "García", "Khan", "Andersen", "Tanaka", "Yılmaz", "Sharma", "Weber", "Kowalska",
    "Haddad", "Moreau", "Rossi", "Lindqvist", "Aziz", "Chen", "Fernández", "Nilsen", "Okafor", "Silva", "Berg", "Patel",
    "Petrova", "Novák", "Sato", "Horvat", "Rahimi", "MacLeod", "de Vries", "Mensah", "Johansson", "Karimi", "Schmidt",
    "Costa", "Nair", "Fischer", "Diallo", "Romano", "Larsen", "Achieng", "Meyer", "Mansour", "Dubois", "O'Brien",
    "Conti", "Ndlovu", "Zieliński", "Vidal", "Kim", "Almeida", "Hughes", "Virtanen", "Demir", "Park", "Ruiz", "Keller",
    "Asante", "Olsen", "Marković", "Farouk", "Wójcik", "Bianchi", "Suleiman", "Laurent", "Popescu", "Ito", "Nguyen",
)  # fmt: skip

GREETINGS = ("Hi all!", "Good morning", "Hello from the coast", "Hey, anyone around?", "First time here, hello!")
TALK = (
    "Has anybody tried the new kayak?", "My order arrived this morning, beautifully packed.",
    "Is the headlamp bright enough for night hikes?", "Two thumbs up for the chef's knife.",
    "Does the dry bag really stay dry?", "It does, mine survived a capsize.", "Which size did you take?",
    "Went one up and I'm happy with it.", "The live status on orders is lovely.", "Shipping took two days for me.",
    "Anyone coming to the meetup on Thursday?", "Count me in.", "I'll bring the board game.",
    "Thanks, that helps a lot!", "Same here.", "Let me check and come back to you.", "Looks good to me.",
    "I exported my orders to Parquet and it took seconds.", "How do you keep cast iron from rusting?",
    "Dry it on the stove, then a drop of oil.", "Good tip, thank you.", "See you tomorrow!", "Have a nice weekend",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class InventedPerson:
    """An account before it has an id."""

    username: str
    email: str
    full_name: str
    role: str
    is_demo: bool = False


DEMO_PEOPLE = (
    InventedPerson("admin", "admin@mobula.localhost", "Mobula Admin", ADMIN, is_demo=True),
    InventedPerson("operator", "operator@mobula.localhost", "Olga Operator", OPERATOR, is_demo=True),
    InventedPerson("analyst", "analyst@mobula.localhost", "Anton Analyst", ANALYST, is_demo=True),
    InventedPerson("ada", "ada@mobula.localhost", "Ada Lovelace", CUSTOMER, is_demo=True),
    InventedPerson("lin", "lin@mobula.localhost", "Lin Wei", CUSTOMER, is_demo=True),
)


def invent_people(rng: random.Random, count: int) -> Iterator[InventedPerson]:
    """The demo accounts first, then customers, up to `count`; no username twice."""
    yield from DEMO_PEOPLE
    used = {person.username for person in DEMO_PEOPLE}
    for _ in range(count - len(DEMO_PEOPLE)):
        first, last = rng.choice(FIRST), rng.choice(LAST)
        base = username = f"{_plain(first)}.{_plain(last)}"
        while username in used:
            username = f"{base}{rng.randint(2, 99_999)}"
        used.add(username)
        domain = rng.choice(("example.com", "example.org", "example.net"))
        yield InventedPerson(username, f"{username}@{domain}", f"{first} {last}", CUSTOMER)


def invent_message(rng: random.Random, number: int) -> str:
    """What somebody says; the first one greets."""
    return rng.choice(GREETINGS) if number == 1 else rng.choice(TALK)


def _plain(name: str) -> str:
    """Lower-case ASCII letters of a name."""
    decomposed = unicodedata.normalize("NFKD", name.lower().replace("ł", "l").replace("ı", "i"))
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalpha())
