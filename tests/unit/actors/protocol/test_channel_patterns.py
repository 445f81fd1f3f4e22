import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.protocol.channel_patterns import ChannelPatterns, Match, SamePattern, segments


def patterns(**declared: str) -> ChannelPatterns:
    found = ChannelPatterns()
    for namespace, pattern in declared.items():
        found.add(namespace, pattern)
    return found


def test_variables_are_whole_segments() -> None:
    known = patterns(device="/users/:user/devices/:device", user="/users/:user")
    assert known.match("/users/42/devices/7") == Match("device", {"user": "42", "device": "7"})
    assert known.match("/users/42") == Match("user", {"user": "42"})
    for channel in ("users/42", "/users", "/users/", "/users//devices/7", "/users/42/devices", "/users/42/", ""):
        assert known.match(channel) is None, channel


def test_what_is_written_out_wins_and_falls_back() -> None:
    known = patterns(any="/:a/:b", news="/news/:b", pair="/news/:b/x", deep="/:a/:b/y")
    assert known.match("/news/1") == Match("news", {"b": "1"})
    assert known.match("/other/1") == Match("any", {"a": "other", "b": "1"})
    assert known.match("/news/1/y") == Match("deep", {"a": "news", "b": "1"})


def test_the_same_channels_have_one_namespace() -> None:
    with pytest.raises(SamePattern, match="'/a/:y' fits the same channels as the pattern of 'one'"):
        patterns(one="/a/:x", two="/a/:y")


@pytest.mark.parametrize(
    "pattern", ["", "a", "/", "//", "/a/", "/:", "/:1", "/:A", "/a:b", "/a#b", "/:x/:x", "/a\nb", "/a" * 17]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|variable|colon"):
        segments(pattern)


@given(st.lists(st.sampled_from(["a", "b", ":x", ":y", ":z"]), min_size=1, max_size=4, unique=True), st.data())
def test_a_channel_made_from_a_pattern_fits_it(parts: list[str], data: st.DataObject) -> None:
    values = {part[1:]: data.draw(st.text("ab/1", min_size=1).map(lambda text: text.replace("/", "")).filter(bool))
              for part in parts if part.startswith(":")}  # fmt: skip
    channel = "/" + "/".join(values[part[1:]] if part.startswith(":") else part for part in parts)
    assert patterns(n="/" + "/".join(parts)).match(channel) == Match("n", values)
