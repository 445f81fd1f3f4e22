import pytest

from actors.protocol import codes


def test_the_registry_holds_the_whole_protocol() -> None:
    assert sorted(codes.ERRORS) == list(range(100, 114))
    assert {3000, 3001, *range(3004, 3007), *range(3008, 3015)} | set(range(3500, 3510)) == set(codes.DISCONNECTS)
    assert sorted(codes.UNSUBSCRIBES) == [2000, 2500, 2501, 2502]


def test_only_the_three_retryable_errors_are_temporary() -> None:
    assert {code for code, entry in codes.ERRORS.items() if entry.temporary} == {100, 111, 113}


@pytest.mark.parametrize(
    ("code", "reconnect"), [(3000, True), (3012, True), (3500, False), (4000, True), (4500, False)]
)
def test_the_range_says_whether_a_client_reconnects(code: int, reconnect: bool) -> None:
    assert codes.disconnect(code).reconnect is reconnect


def test_reasons_fit_into_a_close_frame_and_unsubscribes_know_their_range() -> None:
    assert all(len(entry.reason.encode()) <= 123 for entry in codes.DISCONNECTS.values())
    assert not codes.UNSUBSCRIBE_SERVER.resubscribe
    assert codes.UNSUBSCRIBE_INSUFFICIENT.resubscribe


def test_an_applications_own_codes_keep_their_text() -> None:
    assert codes.error(400, "no credit").text == "no credit"
    assert codes.error(103, "ignored") is codes.ERROR_PERMISSION_DENIED
    assert codes.disconnect(4001, "maintenance").reason == "maintenance"
    assert codes.unsubscribe(2600, "moved").resubscribe


def test_who_ends_something_may_say_why() -> None:
    banned = codes.disconnect(3503, "banned")
    assert (banned.code, banned.reason, banned.reconnect) == (3503, "banned", False)
    assert codes.disconnect(3503) is codes.DISCONNECT_FORCE
    assert codes.unsubscribe(2000, "closed").reason == "closed"
    assert codes.unsubscribe(2000) is codes.UNSUBSCRIBE_SERVER
