import pytest

from serve_app.edge.ongoing import Ongoing


def test_requests_are_counted_while_they_run_and_when_they_fail() -> None:
    ongoing = Ongoing()
    with ongoing, ongoing:
        assert ongoing.requests == 2
    with pytest.raises(RuntimeError), ongoing:
        raise RuntimeError
    assert (ongoing.requests, ongoing.total) == (0, 3)
