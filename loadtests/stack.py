"""The running stack as a client sees it: addresses, accounts, tokens.

`MOBULA_URL` says where it is (default: what `./mobula up` of this checkout recorded, else port 8000); the rest is asked
for over REST, like any client does.
"""

import asyncio
import json
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx
import psutil

from loadtests.client import Pool
from loadtests.processes import checkout_home, find_replicas, find_titled

SOCKETS_PER_USER = 150
"""Below MAX_CONNECTIONS_PER_USER."""
METRICS_AGE_S = 6.0
"""Replicas push their numbers every few seconds."""
DEFAULT_URL = "http://127.0.0.1:8000"


def recorded_url() -> str:
    """Where `up` of this checkout listens."""
    try:
        return f"http://127.0.0.1:{int(json.loads((checkout_home() / 'ports.json').read_text())['http'])}"
    except (OSError, ValueError, KeyError):
        return DEFAULT_URL


class StackNotReady(Exception):
    """There is nothing to measure; the message names the remedy."""


@dataclass(frozen=True)
class Account:
    """A registered and signed-in user."""

    username: str
    user_id: str
    access_token: str

    @property
    def headers(self) -> dict[str, str]:
        """Authorisation of REST requests."""
        return {"Authorization": f"Bearer {self.access_token}"}


class Stack:
    """One running Mobula."""

    def __init__(self, url: str = "") -> None:
        self.url = (url or os.environ.get("MOBULA_URL") or recorded_url()).rstrip("/")
        parts = urlsplit(self.url)
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        scheme = "wss" if parts.scheme == "https" else "ws"
        self.websocket_url = urlunsplit((scheme, parts.netloc, "/connection/websocket", "", ""))

    async def check(self) -> None:
        """Raise StackNotReady unless the stack answers."""
        try:
            async with httpx.AsyncClient(timeout=10) as http:
                answer = await http.get(f"{self.url}/health/ready")
        except httpx.HTTPError as error:
            raise StackNotReady(f"nothing answers at {self.url} ({error!r}): run './mobula up -d' first") from error
        if answer.status_code != 200:
            raise StackNotReady(f"{self.url}/health/ready answers {answer.status_code}: see './mobula status'")

    async def account(self) -> Account:
        """Register a new user and sign in."""
        name = f"load-{secrets.token_hex(6)}"
        body = {"username": name, "email": f"{name}@example.com", "password": secrets.token_urlsafe(18)}
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as http:
            answer = await http.post("/api/v1/auth/register", json=body)
            if answer.status_code not in {201, 202}:
                raise StackNotReady(f"registration answered {answer.status_code}: {answer.text}")
            credentials = {"email": body["email"], "password": body["password"], "mode": "bearer"}
            answer = await http.post("/api/v1/auth/login", json=credentials)
            if answer.status_code != 200:
                raise StackNotReady(f"sign-in answered {answer.status_code}: {answer.text}")
            session = answer.json()
        return Account(name, session["user"]["id"], session["access_token"])

    async def connection_token(self, account: Account) -> str:
        """A connection token; it opens connections for one minute."""
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as http:
            answer = await http.post("/api/v1/realtime/token", headers=account.headers)
            answer.raise_for_status()
            return str(answer.json()["token"])

    async def tokens(self, count: int) -> list[str]:
        """A token for each of `count` sockets, of as many new users as the limit of connections per user demands.

        Sockets of one user share a token; all are valid for a minute.
        """
        found: list[str] = []
        while len(found) < count:
            token = await self.connection_token(await self.account())
            found += [token] * min(SOCKETS_PER_USER, count - len(found))
        return found

    async def connect(self, pool: Pool, count: int, channels: Sequence[str] = ()) -> None:
        """Open `count` sockets of several new users."""
        tokens = await self.tokens(count)
        for token in dict.fromkeys(tokens):
            await pool.open(tokens.count(token), token=token, channels=channels)

    async def closed_with(self, *codes: int) -> int:
        """How many connections the stack has closed with these codes; its numbers are a few seconds old."""
        await asyncio.sleep(METRICS_AGE_S)
        async with httpx.AsyncClient(timeout=10) as http:
            metrics = (await http.get(f"{self.url}/metrics")).text
        counted = re.findall(r'^realtime_disconnects_total\{code="(\d+)"\} (\d+)', metrics, re.MULTILINE)
        return sum(int(count) for code, count in counted if int(code) in codes)

    def replicas(self, application: str) -> list[psutil.Process]:
        """The replica processes of one application on this machine. Raises StackNotReady when there are none."""
        found = find_replicas(application)
        if not found:
            raise StackNotReady(f"no replica of {application!r} runs on this machine; CPU cannot be measured")
        return found

    def shard_hosts(self) -> list[psutil.Process]:
        """The processes that host shards on this machine."""
        return find_titled("ShardHost")

    def agents(self) -> list[psutil.Process]:
        """The node agents on this machine."""
        return find_titled("NodeAgent")
