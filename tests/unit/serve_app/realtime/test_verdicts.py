from typing import Any

import pytest

from serve_app.realtime.credentials import ClaimedSubscription, Credentials
from serve_app.realtime.verdicts import Admission, Granted, one_line


def test_json_becomes_one_line_and_everything_else_stays() -> None:
    granted = Granted(b'{\n"a": 1}', b"[\n]", 5.0, {"presence": True}, frozenset({"pub"})).checked()
    assert granted == Granted(b'{ "a": 1}', b"[ ]", 5.0, {"presence": True}, frozenset({"pub"}))
    assert Granted().checked() == Granted()
    who = Credentials("u", "s", b"[\n]", {"c": ClaimedSubscription(b"{\n}", b"\n1")}, 9.0, meta=b"\n2", token_id="t")
    admission = Admission(who, b"3\n").checked()
    assert (admission.data, admission.credentials.info, admission.credentials.meta) == (b"3", b"[ ]", b"2")
    assert admission.credentials.subs == {"c": ClaimedSubscription(b"{ }", b"1")}
    assert (admission.credentials.user, admission.credentials.expires_at, admission.credentials.token_id) == (
        "u",
        9,
        "t",
    )


@pytest.mark.parametrize("bad", [b"{", b"\xff", b"1 2", b"\n", b"[" * 200 + b"]" * 200, "text"])
def test_what_is_no_json_is_no_answer(bad: Any) -> None:
    for answer in (Granted(data=bad), Granted(info=bad), Granted(tags_filter=bad), Admission(Credentials("u"), bad)):
        with pytest.raises((ValueError, TypeError)):
            answer.checked()
    assert one_line(b"") == b""


@pytest.mark.parametrize(
    "who", [Credentials("a\0"), Credentials("u", session="\n"), Credentials("u", token_id="\ud800")]
)
def test_a_handler_admits_nobody_whom_no_token_could_name(who: Credentials) -> None:
    with pytest.raises(ValueError, match="printed"):
        Admission(who).checked()
