"""From credential to principal: what is asked, how often, and what is remembered."""

import asyncio
import time
import traceback
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from db.auth.errors import ApiKeyInvalid
from serve_app.errors import CredentialInvalid, RequestForged, TooManyWrongKeys
from serve_app.middleware.context import AddressFinder
from serve_app.security.authenticator import RECHECK_S, REFUSAL, WRONG_KEYS, Authenticator, read_cookie
from serve_app.security.keys import SigningKeys
from serve_app.security.principal import Method, Principal
from serve_app.security.tokens import AccessClaims, TokenIssuer, TokenVerifier
from tests.fakes.clock import ManualClock

KEYS = SigningKeys.of([Ed25519PrivateKey.generate()])


class World:
    """A database that knows sessions and keys, and counts how often it is asked."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ended: set[UUID] = set()
        self.asked = 0
        self.keys = {"good": self.principal("api_key")}
        self.authenticator = Authenticator(
            TokenVerifier(KEYS, issuer="us"),
            check_session=self.check_session,
            check_key=self.check_key,
            addresses=AddressFinder([]),
            allowed_origins=frozenset({"http://shop.test"}),
            secure_cookies=False,
            clock=self.clock.monotonic,
        )

    @staticmethod
    def principal(method: Method, user_id: UUID | None = None) -> Principal:
        return Principal(user_id or uuid4(), "ada", frozenset(), frozenset(), method)

    async def check_session(self, claims: AccessClaims, method: Method) -> Principal | None:
        self.asked += 1
        await asyncio.sleep(0)
        return None if claims.session_id in self.ended else self.principal(method, claims.subject)

    async def check_key(self, key: str, _address: str) -> Principal:
        self.asked += 1
        await asyncio.sleep(0)
        if key not in self.keys:
            raise ApiKeyInvalid
        return self.keys[key]

    def token(self, session_id: UUID | None = None, user_id: UUID | None = None) -> str:
        token, _ = TokenIssuer(KEYS, issuer="us", access_ttl_s=600).access(
            subject=user_id or uuid4(),
            session_id=session_id or uuid4(),
            username="ada",
            roles=frozenset(),
            permissions=frozenset(),
            authenticated_at=0,
            session_expires_at=int(time.time()) + 3600,
        )
        return token

    async def identify(self, method: str = "GET", **headers: str) -> dict[str, Any]:
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope: dict[str, Any] = {"type": "http", "method": method, "headers": named, "client": ("192.0.2.1", 1)}
        await self.authenticator.identify(scope)
        return scope


@pytest.fixture
def world() -> World:
    return World()


async def test_nothing_is_nobody(world: World):
    scope = await world.identify()
    assert "principal" not in scope
    assert REFUSAL not in scope


async def test_the_database_is_asked_once_a_second(world: World):
    token = world.token()
    for _ in range(5):
        assert (await world.identify(authorization=f"Bearer {token}"))["principal"].method == "bearer"
    assert world.asked == 1
    world.clock.advance(RECHECK_S)
    await world.identify(authorization=f"Bearer {token}")
    assert world.asked == 2


async def test_an_ended_session_is_refused_at_the_next_look(world: World):
    session_id = uuid4()
    token = world.token(session_id)
    await world.identify(authorization=f"bearer {token}")
    world.ended.add(session_id)
    assert "principal" in await world.identify(authorization=f"Bearer {token}")
    world.authenticator.forget(session_id=session_id)
    scope = await world.identify(authorization=f"Bearer {token}")
    assert isinstance(scope[REFUSAL], CredentialInvalid)
    assert "principal" not in scope


async def test_forgetting_a_user_forgets_sessions_and_keys(world: World):
    user_id = uuid4()
    world.keys["mine"] = world.principal("api_key", user_id)
    token = world.token(user_id=user_id)
    for _ in range(2):
        await world.identify(authorization=f"Bearer {token}")
        await world.identify(x_api_key="mine")
        await world.identify(x_api_key="good")
    assert world.asked == 3
    world.authenticator.forget(user_id=user_id)
    await world.identify(authorization=f"Bearer {token}")
    await world.identify(x_api_key="mine")
    await world.identify(x_api_key="good")
    assert world.asked == 5


async def test_a_bearer_token_is_preferred_and_never_falls_back(world: World):
    scope = await world.identify(authorization="Bearer nonsense", x_api_key="good")
    assert isinstance(scope[REFUSAL], CredentialInvalid)


async def test_a_wrong_key_is_asked_about_once_a_second(world: World):
    for _ in range(5):
        assert isinstance((await world.identify(x_api_key="bad"))[REFUSAL], ApiKeyInvalid)
    assert world.asked == 1
    world.clock.advance(RECHECK_S)
    await world.identify(x_api_key="bad")
    assert world.asked == 2
    assert isinstance((await world.identify(x_api_key="b" * 1000))[REFUSAL], ApiKeyInvalid)
    assert world.asked == 2


async def test_a_refusal_that_is_remembered_does_not_grow(world: World):
    for _ in range(5):
        refusal = (await world.identify(x_api_key="bad"))[REFUSAL]
    assert len(traceback.extract_tb(refusal.__traceback__)) < 5


async def test_the_token_of_an_ended_session_is_asked_about_once_a_second(world: World):
    session_id = uuid4()
    world.ended.add(session_id)
    token = world.token(session_id)
    scopes = await asyncio.gather(*(world.identify(authorization=f"Bearer {token}") for _ in range(5)))
    assert all(isinstance(scope[REFUSAL], CredentialInvalid) for scope in scopes)
    assert world.asked == 1
    world.clock.advance(RECHECK_S)
    await world.identify(authorization=f"Bearer {token}")
    assert world.asked == 2


async def test_an_address_may_show_so_many_wrong_keys(world: World):
    scopes = await asyncio.gather(*(world.identify(x_api_key=f"bad-{number}") for number in range(5_000)))
    refusals = Counter(type(scope[REFUSAL]) for scope in scopes)
    assert refusals == {ApiKeyInvalid: WRONG_KEYS.quota, TooManyWrongKeys: 5_000 - WRONG_KEYS.quota}
    assert world.asked == WRONG_KEYS.quota
    assert scopes[-1][REFUSAL].retry_after_s == pytest.approx(0.5)
    # Nobody else's matter.
    assert (await world.authenticator.principal_of_key("good", "192.0.2.2")) is world.keys["good"]
    world.clock.advance(0.5)
    assert "principal" in await world.identify(x_api_key="good")


async def test_a_subscriber_s_addresses_share_what_wrong_keys_they_may_show(world: World):
    for number in range(WRONG_KEYS.quota):
        with pytest.raises(ApiKeyInvalid):
            await world.authenticator.principal_of_key(f"bad-{number}", f"2001:db8:1:2::{number:x}")
    with pytest.raises(TooManyWrongKeys):
        await world.authenticator.principal_of_key("bad", "2001:db8:1:2:ffff::1")
    with pytest.raises(ApiKeyInvalid):
        await world.authenticator.principal_of_key("bad", "2001:db8:1:3::1")


async def test_right_keys_of_one_address_use_nothing_up_and_stay_usable_beside_wrong_ones(world: World):
    world.keys |= {f"good-{number}": world.principal("api_key") for number in range(500)}
    for number in range(500):
        assert "principal" in await world.identify(x_api_key=f"good-{number}")
    for number in range(WRONG_KEYS.quota + 1):
        refusal = (await world.identify(x_api_key=f"bad-{number}"))[REFUSAL]
    assert isinstance(refusal, TooManyWrongKeys)
    world.keys.pop("good-1")
    for key in ("good-0", "good-1"):
        world.authenticator._keys._clock = lambda: world.clock.monotonic() + RECHECK_S
        scope = await world.identify(x_api_key=key)
        assert ("principal" in scope) is (key == "good-0")
    assert isinstance(scope[REFUSAL], ApiKeyInvalid)


async def test_a_database_that_does_not_answer_says_nothing_about_a_key(world: World):
    keys = world.keys
    del world.keys
    for _ in range(WRONG_KEYS.quota + 1):
        with pytest.raises(AttributeError):
            await world.identify(x_api_key="good")
    world.keys = keys
    assert "principal" in await world.identify(x_api_key="good")


async def test_requests_at_the_same_time_ask_once(world: World):
    token = world.token()
    await asyncio.gather(*(world.identify(authorization=f"Bearer {token}") for _ in range(5)))
    await asyncio.gather(*(world.identify(x_api_key="good") for _ in range(5)))
    assert world.asked == 2
    assert len(world.authenticator._turns) == 0


async def test_cookies_are_believed_on_safe_methods_and_from_our_pages(world: World):
    cookie = f"theme=dark; mobula_access={world.token()}"
    assert (await world.identify(cookie=cookie))["principal"].method == "cookie"
    assert isinstance((await world.identify("POST", cookie=cookie))[REFUSAL], RequestForged)
    ours = {"origin": "http://shop.test", "x_mobula_csrf": "1"}
    assert (await world.identify("POST", cookie=cookie, **ours))["principal"].method == "cookie"
    assert "principal" not in await world.identify(cookie="mobula_access=stale")


@pytest.mark.parametrize(("header", "value"), [(b"a=1; b=2", "2"), (b"b", None), (b"ab=1", None), (b"", None)])
def test_reading_cookies(header: bytes, value: str | None):
    assert read_cookie({b"cookie": header}, "b") == value


@pytest.mark.parametrize(
    "foreign", ['prefs={"a":1}', 'prefs="x', "a c=d", "k\u00e4=1", "foo=\u00e4", "x[]=1", "novalue", "=", "a@b=c", ""]
)
def test_no_foreign_cookie_hides_ours(foreign: str):
    for text in (f"{foreign}; b=2", f"b=2; {foreign}", f"{foreign};b=2;{foreign}"):
        assert read_cookie({b"cookie": text.encode()}, "b") == "2"
