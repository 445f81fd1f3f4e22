"""What the database said of a credential a moment ago, yes or no, so that it is not asked with every request."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KnownT = TypeVar("KnownT", bound=Hashable)
VerdictT = TypeVar("VerdictT")


class Remembered(Generic[KnownT, VerdictT]):
    """Verdicts by credential, each for a while; of too many the one that was given first is forgotten."""

    def __init__(self, most: int, for_s: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._for_s = for_s
        self._clock = clock
        self._verdicts: OrderedDict[KnownT, tuple[float, VerdictT]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._verdicts)

    def __contains__(self, known: KnownT) -> bool:
        """Whether this was the last verdict, be it as old as it may."""
        return known in self._verdicts

    def find(self, known: KnownT) -> VerdictT | None:
        """The verdict, if it is young enough."""
        found = self._verdicts.get(known)
        return found[1] if found is not None and self._clock() < found[0] else None

    def keep(self, known: KnownT, verdict: VerdictT) -> None:
        """It was given now."""
        self._verdicts[known] = (self._clock() + self._for_s, verdict)
        self._verdicts.move_to_end(known)
        if len(self._verdicts) > self._most:
            self._verdicts.popitem(last=False)

    def forget(self, known: KnownT) -> None:
        """It does not hold any more."""
        self._verdicts.pop(known, None)

    def forget_where(self, is_meant: Callable[[KnownT, VerdictT], bool]) -> None:
        """The same for all that are meant."""
        for known, (_, verdict) in list(self._verdicts.items()):
            if is_meant(known, verdict):
                del self._verdicts[known]
