"""Locust scenarios: people who browse and buy over REST, and people who talk over the real protocol.

`./mobula load web` runs it with the web page, `./mobula load smoke` headless and bounded. The address of the stack is
Locust's `--host`; everything else a user needs it gets over REST, as a browser would.
"""

import json
import random
import secrets
import time
from typing import Any

import gevent  # type: ignore[import-untyped]
import gevent.event  # type: ignore[import-untyped]
import websocket
from locust import HttpUser, between, constant_pacing, task
from locust.exception import RescheduleTask, StopUser

SESSION_HEADERS = {"Accept": "application/json"}
SEARCHES = ("lamp", "desk", "cable", "book", "chair", "a", "e")
ARRIVAL_S = 10.0
TALKING_CHANNEL = "room:load"


def sign_up(client: Any) -> dict[str, Any]:
    """Register and sign in with `client` (a requests-like session); returns what login answered. Raises StopUser."""
    name = f"load-{secrets.token_hex(6)}"
    body = {"username": name, "email": f"{name}@example.com", "password": secrets.token_urlsafe(18)}
    if not client.post("/api/v1/auth/register", json=body, name="POST /auth/register").ok:
        raise StopUser  # to sign in all the same would fail, too, and keep others of this address from signing in
    credentials = {"email": body["email"], "password": body["password"], "mode": "bearer"}
    answer = client.post("/api/v1/auth/login", json=credentials, name="POST /auth/login")
    if answer.status_code != 200:
        raise StopUser
    session: dict[str, Any] = answer.json()
    return session


class Shopper(HttpUser):
    """Looks around a lot, buys now and then, and follows what was bought."""

    weight = 3
    wait_time = between(0.5, 2.0)

    def on_start(self) -> None:
        """A new customer."""
        self.client.headers.update(SESSION_HEADERS)
        session = sign_up(self.client)
        self.client.headers["Authorization"] = f"Bearer {session['access_token']}"
        self.products: list[dict[str, Any]] = []
        self.orders: list[str] = []

    @task(8)
    def browse(self) -> None:
        """A page of the catalogue."""
        answer = self.client.get(
            "/api/v1/products", params={"page": random.randint(1, 3), "limit": 20}, name="GET /products"
        )
        if answer.status_code == 200:
            self.products = answer.json()["items"] or self.products

    @task(3)
    def search(self) -> None:
        """A search of the catalogue."""
        self.client.get("/api/v1/products", params={"q": random.choice(SEARCHES)}, name="GET /products?q")

    @task(4)
    def look(self) -> None:
        """One product."""
        if not self.products:
            raise RescheduleTask
        product = random.choice(self.products)
        self.client.get(f"/api/v1/products/{product['id']}", name="GET /products/{id}")

    @task(2)
    def buy(self) -> None:
        """Place an order. Out of stock is an answer, not a failure."""
        if not self.products:
            raise RescheduleTask
        lines = [
            {"product_id": product["id"], "quantity": random.randint(1, 2)}
            for product in random.sample(self.products, min(2, len(self.products)))
        ]
        with self.client.post(
            "/api/v1/orders",
            json={"lines": lines},
            headers={"Idempotency-Key": secrets.token_hex(16)},
            name="POST /orders",
            catch_response=True,
        ) as answer:
            if answer.status_code == 201:
                self.orders.append(answer.json()["id"])
            elif answer.status_code == 409 and answer.json().get("code") == "out_of_stock":
                answer.success()

    @task(2)
    def follow(self) -> None:
        """Read an order again."""
        if not self.orders:
            raise RescheduleTask
        self.client.get(f"/api/v1/orders/{random.choice(self.orders)}", name="GET /orders/{id}")


class Talker(HttpUser):
    """Holds a WebSocket, publishes to a room and waits for its own message to come back."""

    weight = 1
    wait_time = constant_pacing(1.0)

    def on_start(self) -> None:
        """Sign up over REST, fetch a connection token, connect, subscribe."""
        self.awaited: dict[str, float] = {}
        self.replies: dict[int, gevent.event.AsyncResult[dict[str, Any]]] = {}
        self.next_id = 1
        session = sign_up(self.client)
        headers = {"Authorization": f"Bearer {session['access_token']}"}
        answer = self.client.post("/api/v1/realtime/token", headers=headers, name="POST /realtime/token")
        if answer.status_code != 200:
            raise StopUser
        token = answer.json()["token"]
        address = self.client.base_url.rstrip("/").replace("http", "ws", 1) + "/connection/websocket"
        self.socket = websocket.create_connection(address, timeout=ARRIVAL_S, enable_multithread=True)
        self.socket.settimeout(None)
        self.reader = gevent.spawn(self.read)
        self.ask("connect", {"token": token, "name": "locust"})
        self.ask("subscribe", {"channel": TALKING_CHANNEL})

    def on_stop(self) -> None:
        """Leave."""
        if hasattr(self, "reader"):
            self.reader.kill()
            self.socket.close()

    def read(self) -> None:
        """Replies, pings and publications until the socket ends."""
        while frame := self.socket.recv():
            for line in str(frame).split("\n"):
                message = json.loads(line)
                if not message:
                    self.socket.send("{}")
                elif result := self.replies.pop(message.get("id", 0), None):
                    result.set(message)
                elif publication := message.get("push", {}).get("pub"):
                    self.arrived(publication["data"])

    def arrived(self, data: dict[str, Any]) -> None:
        """A publication of the room; ours are timed."""
        sent = self.awaited.pop(data.get("key", ""), None)
        if sent is not None:
            self.report("publish → receive", sent, None)

    def report(self, name: str, started: float, error: Exception | None) -> None:
        """Tell Locust about one exchange."""
        self.environment.events.request.fire(
            request_type="WS",
            name=name,
            response_time=(time.perf_counter() - started) * 1000,
            response_length=0,
            exception=error,
            context={},
        )

    def ask(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send a command and wait for its reply."""
        command_id, self.next_id = self.next_id, self.next_id + 1
        result = self.replies[command_id] = gevent.event.AsyncResult()
        started = time.perf_counter()
        error: Exception | None = None
        reply: dict[str, Any] = {}
        try:
            self.socket.send(json.dumps({"id": command_id, method: request}))
            reply = result.get(timeout=ARRIVAL_S)
            if "error" in reply:
                error = RuntimeError(f"{reply['error']['code']} {reply['error']['message']}")
        except (gevent.Timeout, OSError, websocket.WebSocketException) as failure:
            error = RuntimeError(repr(failure))
        self.report(method, started, error)
        if error and method in {"connect", "subscribe"}:
            raise StopUser
        return reply

    @task
    def talk(self) -> None:
        """Publish; a message that did not come back by the next one is a failure."""
        for started in [self.awaited.pop(key) for key in list(self.awaited)]:
            if time.perf_counter() - started > ARRIVAL_S:
                self.report("publish → receive", started, TimeoutError("the publication never came back"))
        key = secrets.token_hex(8)
        self.awaited[key] = time.perf_counter()
        self.ask("publish", {"channel": TALKING_CHANNEL, "data": {"key": key, "text": "hello"}})
