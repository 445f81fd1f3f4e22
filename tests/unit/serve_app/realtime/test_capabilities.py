from typing import Any

import pytest

from serve_app.realtime import capabilities
from serve_app.realtime.capabilities import allowed, parse, parse_allow


def test_the_first_entry_about_a_channel_decides_alone() -> None:
    known = parse([{"channels": ["news"], "allow": ["pub"]}, {"channels": ["news", "chat"], "allow": ["sub"]}])
    assert allowed(known, "news") == {"pub"}
    assert allowed(known, "chat") == {"sub"}
    assert allowed(known, "other") == frozenset()


@pytest.mark.parametrize(
    ("match", "pattern", "fits", "misses"),
    [
        ("", "a*", "a*", "ab"),
        ("exact", "a", "a", "ab"),
        ("wildcard", "room:*", "room:1#x", "rooms:1"),
        ("wildcard", "*:1", "any:thing:1", "anything:2"),
        ("wildcard", "a.*b", "a.xb", "axxb"),
        ("regex", "room:[0-9]+", "room:42", "room:42x"),
        ("regex", "^room:[0-9]+$", "room:42", "xroom:42"),
    ],
)
def test_channels_match_exactly_by_wildcard_or_by_regular_expression(
    match: str, pattern: str, fits: str, misses: str
) -> None:
    known = parse([{"channels": ["unrelated", pattern], "match": match, "allow": ["sub", "hst"]}])
    assert allowed(known, fits) == {"sub", "hst"}
    assert allowed(known, misses) == frozenset()


@pytest.mark.parametrize(
    "claim",
    [
        {}, "x", [1], [{}], [{"channels": "x"}], [{"channels": [1]}], [{"channels": [""]}],
        [{"channels": ["x"], "match": "glob"}], [{"channels": ["("], "match": "regex"}],
        [{"channels": ["x"], "allow": "pub"}], [{"channels": ["x"], "allow": [1]}],
        [{"channels": []}] * (capabilities.MAX_ENTRIES + 1),
        [{"channels": ["x"] * (capabilities.MAX_CHANNELS + 1)}],
        [{"channels": ["x" * (capabilities.MAX_PATTERN_LENGTH + 1)]}],
    ],
)  # fmt: skip
def test_a_malformed_claim_is_refused(claim: Any) -> None:
    with pytest.raises(ValueError, match=r"caps|allow|entry"):
        parse(claim)


def test_unknown_capabilities_have_no_effect() -> None:
    assert parse(None) == ()
    assert parse_allow(None) == frozenset()
    assert parse_allow(["pub", "fly"]) == {"pub"}
