from actors.protocol.namespace import option_names


def test_options_are_listed_as_they_are_written() -> None:
    names = option_names()
    assert "history_ttl" in names
    assert "history_ttl_s" not in names
    assert "name" not in names
