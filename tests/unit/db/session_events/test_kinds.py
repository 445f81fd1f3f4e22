import pytest

from db.session_events.kinds import BITS, OF_CONNECTIONS, wanted


def test_names_become_bits_that_do_not_overlap():
    assert wanted([]) == 0
    assert wanted(["connected", "disconnected"]) == OF_CONNECTIONS
    assert sum(BITS.values()) == wanted(BITS) == 63
    with pytest.raises(KeyError):
        wanted(["connectd"])
