from actors.protocol.namespace import Namespace, option_names, written
from actors.protocol.namespaces import Namespaces


def test_options_are_listed_as_they_are_written() -> None:
    names = option_names()
    assert "history_ttl" in names
    assert "history_ttl_s" not in names
    assert "name" not in names


CHOSEN = """
namespaces:
  room:
    presence: true
    history_size: 100
    history_ttl: 300
    allowed_delta_types: [fossil]
  board:
    subscription_type: map
    map:
      mode: recoverable
      key_ttl: 90
"""


def test_what_was_chosen_is_shown_as_it_is_written() -> None:
    namespaces = Namespaces.parse(CHOSEN)
    room = written(namespaces.get("room"))
    assert room == {"presence": True, "history_size": 100, "history_ttl": "5m", "allowed_delta_types": ["fossil"]}
    board = written(namespaces.get("board"))
    assert (board["subscription_type"], board["map"]) == ("map", {"mode": "recoverable", "key_ttl": 90})
    assert board["history_size"] == 1000, "a map's stream follows from its options"
    assert written(Namespace(name="plain")) == {}
