"""Who joined and who left over some time, net: who came and went within it is not mentioned."""

from dataclasses import dataclass

from actors.brokers.contract import ClientInfo


@dataclass(slots=True)
class _Net:
    """What happened to one connection: it counts if the first and the last of it are the same."""

    info: ClientInfo
    first_joined: bool
    last_joined: bool


class NetChanges:
    """Of one channel. As large as those whom it is about are many, however often they come and go."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[str, _Net] = {}

    def __len__(self) -> int:
        """Connections that it is about."""
        return len(self._of)

    def note(self, info: ClientInfo, *, joined: bool) -> None:
        """A connection joined or left."""
        net = self._of.get(info.client)
        if net is None:
            self._of[info.client] = _Net(info, joined, joined)
        else:
            net.info, net.last_joined = info, joined

    def settled(self) -> tuple[list[ClientInfo], list[ClientInfo]]:
        """(joined, left)."""
        settled = [net for net in self._of.values() if net.first_joined == net.last_joined]
        return [net.info for net in settled if net.last_joined], [net.info for net in settled if not net.last_joined]
