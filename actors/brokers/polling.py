"""What a shard does with shared polls: it says whose turn it is to ask, and passes on what was found."""

import asyncio
from collections.abc import Mapping

from actors.brokers.contract import BrokerError
from actors.brokers.poll_wire import FAILED, GOES_ON, PollChanged, PollClaim, PollReport, PollTurn
from actors.brokers.table import ChannelTable, Handler
from actors.brokers.wire import encode
from actors.links.stream import ClientStream


class Polling:
    """Takes what concerns shared polls. No callback of an application runs here."""

    def __init__(self, table: ChannelTable) -> None:
        self._table = table
        self.handlers: Mapping[type, Handler] = {PollClaim: self._claim, PollReport: self._report}

    def _claim(self, stream: ClientStream, op: PollClaim) -> None:
        channel = self._table.ready(stream, op)
        if channel is None:
            return
        if channel.polled is None:
            raise BrokerError(108, "the channel is no shared poll")
        ask, values = channel.polled.claim(op.keys, asyncio.get_running_loop().time())
        stream.push(encode(PollTurn(op.request, ask, values)))

    def _report(self, stream: ClientStream, op: PollReport) -> None:
        channel = self._table.find(op.channel)
        if channel is None or channel.polled is None:
            return
        now = asyncio.get_running_loop().time()
        news = channel.polled.report(op.asked, op.values, now)
        if op.end != GOES_ON:
            channel.polled.ended(failed=op.end == FAILED, now=now)
        if news:
            item = encode(PollChanged(channel.name, news))
            for hub in channel.hubs.values():
                if hub.stream is not stream:
                    # What is dropped for a slow reader comes with the answer to its next claim.
                    hub.stream.push(item, channel.name)
