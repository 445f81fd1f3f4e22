"""The acceptance matrix: each official SDK, unmodified, over each transport and encoding that it offers.

One script of everything that a client does, and one of losing the connection, for every row. They run against the whole
stack, through HAProxy, with two realtime replicas: a request beside a stream arrives at either.
"""

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import jwt
import pytest

from serve_app.security.tokens import TokenIssuer
from tests.fixtures.cable import Cable, cable
from tests.fixtures.people import Person
from tests.fixtures.raw_clients import server_api
from tests.fixtures.sdk import JavaScriptSdk, PythonSdk, Sdk, SdkError
from tests.fixtures.stack import RunningStack
from tests.fixtures.visitors import Welcome
from tests.fixtures.waiting import eventually

BLOCK_WEBSOCKETS = """
window.WebSocket = class extends EventTarget {
  static OPEN = 1;
  readyState = 0;
  constructor() {
    super();
    setTimeout(() => {
      this.readyState = 3;
      this.onerror?.(new Event("error"));
      this.onclose?.(new CloseEvent("close", { code: 1006 }));
    });
  }
  send() {}
  close() {}
};
"""
"""What a page sees where a proxy answers the upgrade with an error."""


@dataclass(frozen=True)
class Row:
    """One row of the matrix."""

    sdk: str
    transport: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.sdk}-{self.transport}-{self.protocol}"

    def client(self) -> Sdk:
        """A client of this kind."""
        if self.sdk == "python":
            return PythonSdk(protocol=self.protocol)
        return JavaScriptSdk(protocol=self.protocol, transport=self.transport)

    def endpoint(self, port: int) -> str:
        """Where it connects."""
        scheme = "ws" if self.transport == "websocket" else "http"
        return f"{scheme}://127.0.0.1:{port}/connection/{self.transport}"


MATRIX = [
    Row("javascript", "websocket", "json"),
    Row("javascript", "websocket", "protobuf"),
    Row("javascript", "http_stream", "json"),
    Row("javascript", "http_stream", "protobuf"),
    Row("javascript", "sse", "json"),
    Row("python", "websocket", "json"),
    Row("python", "websocket", "protobuf"),
]


@pytest.fixture(params=MATRIX, ids=str)
def row(request: pytest.FixtureRequest) -> Row:
    found: Row = request.param
    return found


@pytest.fixture
async def sdk(row: Row) -> AsyncIterator[Sdk]:
    client = row.client()
    yield client
    await client.close()


@pytest.fixture
async def other(stack_page: RunningStack, bob: Person) -> AsyncIterator[Sdk]:
    """Somebody else, who speaks JSON over a WebSocket."""
    client = PythonSdk()
    await client.connect(stack_page.ws_url, bob.connection_token)
    yield client
    await client.close()


@pytest.fixture
async def cord(stack_page: RunningStack) -> AsyncIterator[Cable]:
    async with cable("127.0.0.1", stack_page.ports.http) as laid:
        yield laid


async def test_everything_that_a_client_does(
    stack_page: RunningStack, ada: Person, bob: Person, row: Row, sdk: Sdk, other: Sdk
) -> None:
    channel = f"room:matrix-{secrets.token_hex(6)}"
    await sdk.connect(row.endpoint(stack_page.ports.http), ada.connection_token)
    assert sdk.seen.transports == [row.transport]
    await sdk.subscribe(channel)
    await other.subscribe(channel)
    await eventually(lambda: bob.user_id in sdk.seen.joins.get(channel, []))

    # Both hear both, in the same order, whatever they speak.
    for number in range(5):
        await sdk.publish(channel, {"n": number, "text": "ünï\ncode 🙂"})
        await other.publish(channel, {"n": number, "text": "other"})
    for client in (sdk, other):
        await eventually(lambda client=client: len(client.seen.data(channel)) == 10)
        assert client.seen.offsets(channel) == list(range(1, 11))
    assert sdk.seen.data(channel) == other.seen.data(channel)
    assert sdk.seen.data(channel)[0] == {"n": 0, "text": "ünï\ncode 🙂"}

    assert sorted(await sdk.presence(channel)) == sorted([ada.user_id, bob.user_id])
    assert await sdk.presence_stats(channel) == (2, 2)

    # History in both directions, in pages.
    offset, epoch = await sdk.position(channel)
    assert (offset, bool(epoch)) == (10, True)
    assert [at for at, _ in await sdk.history(channel, 4)] == [1, 2, 3, 4]
    assert [at for at, _ in await sdk.history(channel, 4, since=(4, epoch))] == [5, 6, 7, 8]
    assert [at for at, _ in await sdk.history(channel, 4, reverse=True)] == [10, 9, 8, 7]
    assert [at for at, _ in await sdk.history(channel, 4, since=(7, epoch), reverse=True)] == [6, 5, 4, 3]
    with pytest.raises(SdkError) as wrong:
        await sdk.history(channel, 4, since=(4, "another"))
    assert wrong.value.code == 112

    # Errors arrive as what they are.
    with pytest.raises(SdkError) as unknown:
        await sdk.rpc("no.such.method", {"a": 1})
    assert unknown.value.code in (104, 108)
    with pytest.raises(SdkError) as refused:
        await sdk.publish(f"conversation:{secrets.token_hex(4)}", 1)
    assert refused.value.code == 103

    # Left and joined again.
    await sdk.unsubscribe(channel)
    await eventually(lambda: ada.user_id in other.seen.leaves.get(channel, []))
    await other.publish(channel, "unheard")
    await sdk.resubscribe(channel)
    await other.publish(channel, "heard")
    await eventually(lambda: "heard" in sdk.seen.data(channel))
    assert sdk.seen.connecting == 1
    assert sdk.seen.disconnected == []


@pytest.mark.parametrize("namespace", ["room", "ledger"])
async def test_a_lost_connection_recovers_what_it_missed(
    ada: Person, row: Row, sdk: Sdk, other: Sdk, cord: Cable, namespace: str
) -> None:
    channel = f"{namespace}:matrix-{secrets.token_hex(6)}"
    await sdk.connect(row.endpoint(cord.port), ada.connection_token)
    await sdk.subscribe(channel)
    await other.subscribe(channel)
    await other.publish(channel, 1)
    await eventually(lambda: sdk.seen.data(channel) == [1])
    cord.pull()
    for number in (2, 3, 4):
        await other.publish(channel, number)
    cord.plug()
    await eventually(lambda: len(sdk.seen.subscribed[channel]) == 2, 30)
    assert sdk.seen.subscribed[channel] == [(False, False), (True, True)]
    await other.publish(channel, 5)
    await eventually(lambda: sdk.seen.data(channel) == [1, 2, 3, 4, 5])
    assert sdk.seen.offsets(channel) == [1, 2, 3, 4, 5]
    assert sdk.seen.transports == [row.transport, row.transport]


async def test_deltas_are_applied_live_and_after_a_loss(
    stack_page: RunningStack, ada: Person, row: Row, sdk: Sdk, cord: Cable
) -> None:
    channel = f"scores:matrix-{secrets.token_hex(6)}"
    text = "Счёт не открыт, обе команды осторожны 👍🏽. " * 20
    published: list[dict[str, object]] = []

    async def publish() -> None:
        data: dict[str, object] = {"text": text, "n": len(published)}
        published.append(data)
        async with httpx.AsyncClient(timeout=30) as http:
            body = {"channel": channel, "data": data}
            headers = {"X-API-Key": stack_page.server_api_key}
            answer = await http.post(f"{stack_page.http_url}/api/publish", json=body, headers=headers)
        assert "result" in answer.json(), answer.text

    await sdk.connect(row.endpoint(cord.port), ada.connection_token)
    await sdk.subscribe(channel, delta="fossil")
    for _ in range(4):
        await publish()
    await eventually(lambda: sdk.seen.data(channel) == published)
    carried = cord.bytes_down
    for _ in range(10):
        await publish()
    await eventually(lambda: sdk.seen.data(channel) == published)
    assert cord.bytes_down - carried < 10 * len(text.encode()), "publications came whole"
    cord.pull()
    for _ in range(3):
        await publish()
    cord.plug()
    await eventually(lambda: sdk.seen.data(channel) == published, 30)
    assert sdk.seen.subscribed[channel] == [(False, False), (True, True)]


async def test_an_expiring_token_is_refreshed_in_time(stack_page: RunningStack, row: Row, sdk: Sdk) -> None:
    issuer = TokenIssuer.from_settings(stack_page.settings)
    subject = f"matrix-{secrets.token_hex(4)}"
    given: list[str] = []

    async def get_token() -> str:
        # The first lives for two seconds: whoever does not refresh it is closed.
        life_s = 3600 if given else 2
        expire_at = int(time.time()) + life_s
        given.append(issuer.connection(subject=subject, session_id="session-of-matrix", info={}, expire_at=expire_at))
        return given[-1]

    await sdk.connect(row.endpoint(stack_page.ports.http), get_token)
    await eventually(lambda: len(given) == 2, 20)
    channel = f"room:matrix-{secrets.token_hex(6)}"
    await sdk.subscribe(channel)
    await sdk.publish(channel, "still here")
    await eventually(lambda: sdk.seen.data(channel) == ["still here"])
    assert sdk.seen.connecting == 1
    assert sdk.seen.disconnected == []


async def test_a_subscription_token_is_refreshed_in_time_until_it_is_revoked(
    stack_page: RunningStack, ada: Person, row: Row, sdk: Sdk
) -> None:
    issuer = TokenIssuer.from_settings(stack_page.settings)
    channel = f"$room:matrix-{secrets.token_hex(6)}"
    given: list[str] = []

    async def get_token() -> str:
        expire_at = int(time.time()) + (3600 if given else 2)
        given.append(issuer.subscription(subject=ada.user_id, channel=channel, expire_at=expire_at))
        return given[-1]

    await sdk.connect(row.endpoint(stack_page.ports.http), ada.connection_token)
    await sdk.subscribe(channel, get_token=get_token)
    await eventually(lambda: len(given) == 2, 20)
    await sdk.publish(channel, "still here")
    await eventually(lambda: sdk.seen.data(channel) == ["still here"])
    assert (len(sdk.seen.subscribed[channel]), sdk.seen.unsubscribed) == (1, {})
    # The second token counts: with its end, the subscription ends for good, and the connection lives.
    uid = jwt.decode(given[1], options={"verify_signature": False})["jti"]
    assert await server_api(stack_page, "revoke_token", uid=uid) == {"result": {}}
    await eventually(lambda: sdk.seen.unsubscribed.get(channel) == [2000])
    assert (sdk.seen.connecting, sdk.seen.disconnected, len(given)) == (1, [], 2)


async def test_what_cannot_be_recovered_is_loaded_again_by_the_application(
    stack_page: RunningStack, ada: Person, row: Row, sdk: Sdk, other: Sdk, cord: Cable
) -> None:
    channel = f"room:matrix-{secrets.token_hex(6)}"
    states: list[tuple[int, str]] = []

    async def get_state() -> tuple[int, str]:
        states.append(await other.position(channel))
        return states[-1]

    await sdk.connect(row.endpoint(cord.port), ada.connection_token)
    await other.subscribe(channel)
    await other.publish(channel, "loaded")
    await sdk.subscribe(channel, get_state=get_state)
    cord.pull()
    await other.publish(channel, "lost")
    assert await server_api(stack_page, "history_remove", channel=channel) == {"result": {}}
    cord.plug()
    await eventually(lambda: len(states) == 2 and len(sdk.seen.subscribed[channel]) == 2, 30)
    assert [offset for offset, _ in states] == [1, 2]
    await other.publish(channel, "live")
    await eventually(lambda: sdk.seen.data(channel) == ["live"])
    assert sdk.seen.unsubscribed == {}


async def test_of_a_cache_the_latest_publication_is_recovered(
    stack_page: RunningStack, ada: Person, row: Row, sdk: Sdk, cord: Cable
) -> None:
    channel = f"exports:matrix-{secrets.token_hex(6)}#{ada.user_id}"

    async def publish(data: int) -> None:
        assert "result" in await server_api(stack_page, "publish", channel=channel, data=data)

    await sdk.connect(row.endpoint(cord.port), ada.connection_token)
    await sdk.subscribe(channel)
    await publish(1)
    await eventually(lambda: sdk.seen.data(channel) == [1])
    cord.pull()
    for number in (2, 3, 4):
        await publish(number)
    cord.plug()
    await eventually(lambda: len(sdk.seen.subscribed[channel]) == 2, 30)
    assert sdk.seen.subscribed[channel] == [(False, False), (True, True)]
    await publish(5)
    await eventually(lambda: sdk.seen.data(channel) == [1, 4, 5])


async def test_joins_and_leaves_come_to_who_asks(
    stack_page: RunningStack, ada: Person, bob: Person, row: Row, sdk: Sdk, other: Sdk
) -> None:
    channel = f"matrix-{secrets.token_hex(6)}"
    await sdk.connect(row.endpoint(stack_page.ports.http), ada.connection_token)
    await sdk.subscribe(channel, join_leave=True)
    await other.subscribe(channel)
    await eventually(lambda: bob.user_id in sdk.seen.joins.get(channel, []))
    await other.unsubscribe(channel)
    await eventually(lambda: bob.user_id in sdk.seen.leaves.get(channel, []))
    assert channel not in other.seen.joins, "who did not ask"


async def test_a_revoked_session_ends_for_good(stack_page: RunningStack, row: Row, sdk: Sdk) -> None:
    person = await Person.register(stack_page.http_url)
    try:
        await sdk.connect(row.endpoint(stack_page.ports.http), person.connection_token)
        await person.sign_out()
        await eventually(lambda: sdk.seen.disconnected == [3503], 5)
    finally:
        await person.close()


@pytest.mark.parametrize(
    ("fallback", "emulation"),
    [
        ("http_stream", "/connection/emulation"),
        ("sse", "/connection/emulation"),
        ("http_stream", "/emulation"),
        ("sse", "/emulation"),
    ],
)
async def test_where_no_websocket_gets_through_the_sdk_falls_back(
    stack_page: RunningStack, ada: Person, other: Sdk, fallback: str, emulation: str
) -> None:
    """Commands go to where the SDK sends them by itself, too."""
    endpoint = f"{stack_page.http_url}/connection/{fallback}"
    client = JavaScriptSdk(fallbacks=[(fallback, endpoint)], emulation=emulation)
    channel = f"room:matrix-{secrets.token_hex(6)}"
    try:
        blocked = f"ws://127.0.0.1:{stack_page.ports.http}/blocked"
        await client.connect(blocked, ada.connection_token)
        assert client.seen.transports == [fallback]
        await client.subscribe(channel)
        await other.subscribe(channel)
        await client.publish(channel, "through")
        await eventually(lambda: other.seen.data(channel) == ["through"])
    finally:
        await client.close()


async def test_a_page_without_websockets_is_live_all_the_same(welcome: Welcome) -> None:
    behind_a_proxy, usual = await welcome(), await welcome()
    await behind_a_proxy.context.add_init_script(BLOCK_WEBSOCKETS)
    streams: list[str] = []
    behind_a_proxy.page.on("request", lambda request: streams.append(request.url))
    await behind_a_proxy.register()
    await usual.register()
    assert f"{behind_a_proxy.url}/connection/http_stream" in streams

    title = f"Tea {secrets.token_hex(3)}"
    await behind_a_proxy.start_conversation(title, usual.name)
    await usual.open_conversation(title)
    await behind_a_proxy.sees_here(behind_a_proxy.name, usual.name)
    await usual.say("Can you hear me?")
    await behind_a_proxy.reads("Can you hear me?")
    await behind_a_proxy.say("I can.")
    await usual.reads("Can you hear me?", "I can.")
    assert f"{behind_a_proxy.url}/connection/emulation" in streams
    # A page that is closed is gone at once: nothing on the way holds its stream open.
    await behind_a_proxy.page.close()
    await usual.sees_here(usual.name)
