"""Epochs of the streams that begin in a shard's memory.

A stream into which nothing was published has no state worth keeping: its epoch follows from its name, so it may be
forgotten, and begins again as the same one. Once a stream with a past is forgotten, no stream of its bucket may begin
with an epoch that it could have had: the same epoch with a smaller offset would hide what was lost. So the epochs of
the whole bucket go on to their next generation, and who held an empty channel of it reads `recovered: false` once.
"""

import hashlib
import secrets
import string
from typing import Final

_LETTERS: Final = string.ascii_letters
_LENGTH: Final = 8


def new_epoch() -> str:
    """An identity that no stream ever had: eight random letters."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


class Epochs:
    """One incarnation's: another one has other epochs."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(16)
        self._generations: dict[int, int] = {}

    def first(self, channel: str, bucket: int) -> str:
        """With what a stream begins now."""
        generation = self._generations.get(bucket, 0)
        text = f"{generation}:{channel}".encode("utf-8", "surrogatepass")
        number = int.from_bytes(hashlib.blake2b(text, digest_size=16, key=self._secret).digest())
        letters = []
        for _ in range(_LENGTH):
            number, index = divmod(number, len(_LETTERS))
            letters.append(_LETTERS[index])
        return "".join(letters)

    def over(self, bucket: int) -> None:
        """A stream of this bucket that had a past is forgotten, or the bucket went away."""
        self._generations[bucket] = self._generations.get(bucket, 0) + 1
