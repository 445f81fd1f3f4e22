import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from cluster.stack import stop_signals


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in stop_signals.SIGNALS}
    yield
    stop_signals.restore(before)


def test_every_signal_that_means_us_is_heard_and_everything_is_as_before_afterwards() -> None:
    for number in stop_signals.SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    before = stop_signals.catch(note)
    for number in stop_signals.SIGNALS:
        signal.raise_signal(number)
    assert heard == list(stop_signals.SIGNALS)
    stop_signals.restore(before)
    assert {signal.getsignal(number) for number in stop_signals.SIGNALS} == {signal.SIG_DFL}


@pytest.mark.parametrize("number", stop_signals.SIGNALS)
def test_what_a_block_started_is_stopped_once_and_to_the_end(number: signal.Signals) -> None:
    for each in stop_signals.SIGNALS:
        signal.signal(each, signal.SIG_DFL)
    stopped: list[bool] = []

    def work() -> None:
        with stop_signals.as_interrupt():
            try:
                signal.raise_signal(number)
            finally:
                signal.raise_signal(signal.SIGHUP)
                signal.raise_signal(signal.SIGTERM)
                stopped.append(True)
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert stopped
    assert {signal.getsignal(each) for each in stop_signals.SIGNALS} == {signal.SIG_DFL}


def test_what_nohup_ignores_stays_ignored_and_everything_else_is_heard_all_the_same() -> None:
    for number in stop_signals.SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    heard: list[int] = []
    before = stop_signals.catch(lambda number, frame: heard.append(number))
    for number in stop_signals.SIGNALS:
        signal.raise_signal(number)
    assert heard == [signal.SIGINT, signal.SIGTERM]
    stop_signals.restore(before)
    assert {signal.getsignal(number) for number in stop_signals.SIGNALS} == {signal.SIG_IGN}
