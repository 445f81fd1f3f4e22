import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.protocol.channels import MAX_CHANNEL_BYTES, ChannelName, InvalidChannel, parse, user_channel


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("news", ChannelName(namespace="", private=False, users=None)),
        ("room:1", ChannelName(namespace="room", private=False, users=None)),
        ("room:a:b", ChannelName(namespace="room", private=False, users=None)),
        ("$room:1", ChannelName(namespace="room", private=True, users=None)),
        ("$x", ChannelName(namespace="", private=True, users=None)),
        ("orders:updates#42", ChannelName(namespace="orders", private=False, users=("42",))),
        ("dialog#1,2", ChannelName(namespace="", private=False, users=("1", "2"))),
        ("a#b#3", ChannelName(namespace="", private=False, users=("3",))),
        ("user:#42", ChannelName(namespace="user", private=False, users=("42",))),
    ],
)
def test_names_are_taken_apart(channel: str, expected: ChannelName) -> None:
    assert parse(channel) == expected


@pytest.mark.parametrize("channel", ["", "a\nb", "a\x00", "\u200b", "x" * (MAX_CHANNEL_BYTES + 1), "ü" * 128, "\ud800"])
def test_names_outside_the_grammar_are_refused(channel: str) -> None:
    with pytest.raises(InvalidChannel):
        parse(channel)


def test_the_longest_name_is_accepted_and_a_namespace_may_allow_less() -> None:
    assert parse("x" * MAX_CHANNEL_BYTES).namespace == ""
    with pytest.raises(InvalidChannel):
        parse("x" * 11, 10)


@given(st.text())
def test_any_text_is_a_name_or_refused(channel: str) -> None:
    try:
        name = parse(channel)
    except InvalidChannel:
        return
    assert name.private == channel.startswith("$")


def test_a_personal_channel_names_exactly_its_user() -> None:
    assert user_channel("user", "42") == "user:#42"
    assert parse(user_channel("user", "42")).users == ("42",)
    assert parse(user_channel("", "42")).users == ("42",)
