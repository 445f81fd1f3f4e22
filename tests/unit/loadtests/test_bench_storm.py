"""The storm's tokens; the crowd itself is tested with its members (test_subscriber.py)."""

from typing import cast

from loadtests.bench_storm import Crowd, give_tokens
from loadtests.stack import SOCKETS_PER_USER, Account, Stack
from loadtests.subscriber import Subscriber


class Tokens:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def connection_token(self, account: Account) -> str:
        self.asked.append(account.username)
        return f"{account.username}-{len(self.asked)}"


async def test_users_share_the_sockets_and_the_tokens() -> None:
    crowd, stack = Crowd(), Tokens()
    crowd.members = [Subscriber("127.0.0.1", 1, "/", "c", crowd.wake) for _ in range(SOCKETS_PER_USER + 2)]
    await give_tokens(cast(Stack, stack), crowd, [Account("a", "1", ""), Account("b", "2", "")])
    assert stack.asked == ["a", "b"]
    assert [member.token for member in crowd.members] == ["a-1"] * SOCKETS_PER_USER + ["b-2"] * 2
