"""Epochs of streams that begin in memory: the same for a stream without a past, never the same after one."""

from actors.brokers.epochs import Epochs, new_epoch


def test_epochs_are_eight_letters_and_never_the_same():
    epochs = {new_epoch() for _ in range(1000)} | {Epochs().first("room:a", 1) for _ in range(1000)}
    assert len(epochs) == 2000, "another incarnation has other ones"
    assert all(len(epoch) == 8 and epoch.isalpha() for epoch in epochs)


def test_a_stream_without_a_past_begins_as_the_same_one():
    epochs = Epochs()
    names = [f"room:{n}" for n in range(1000)]
    first = [epochs.first(name, 7) for name in names]
    assert len(set(first)) == 1000
    assert [epochs.first(name, 7) for name in names] == first


def test_when_a_stream_with_a_past_is_over_its_whole_bucket_goes_on():
    epochs = Epochs()
    seen = set()
    other = epochs.first("room:b", 8)
    for _ in range(100):
        seen.add(epochs.first("room:a", 7))
        epochs.over(7)
    assert len(seen) == 100
    assert epochs.first("room:b", 8) == other
