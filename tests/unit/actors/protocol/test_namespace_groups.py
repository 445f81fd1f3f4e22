import pytest

from actors.protocol.namespace_file import NamespaceMistake, read


def namespace(text: str):
    return read(f"namespaces:\n  n:\n{text}", "f")[0]["n"]


def mistakes(text: str) -> list[str]:
    with pytest.raises(NamespaceMistake) as caught:
        namespace(text)
    return caught.value.mistakes


EPHEMERAL = "    subscription_type: map\n    map:\n      mode: ephemeral\n      key_ttl: 1m\n"
MAP = "    subscription_type: map\n    map:\n"
POLL = "    subscription_type: shared_poll\n    shared_poll:\n"


def test_a_map_has_the_stream_of_its_changes() -> None:
    found = namespace(EPHEMERAL + "      stream_size: 7\n      stream_ttl: 2m\n")
    assert found.map is not None
    assert found.map.key_ttl_s == 60
    assert (found.history_size, found.history_ttl_s, found.durable) == (7, 120, False)
    assert found.has_history
    assert not found.map.has_stream
    persistent = namespace(MAP + "      mode: persistent\n")
    assert persistent.durable
    assert persistent.map is not None
    assert persistent.map.has_stream


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("    subscription_type: map\n", "f:3: namespace 'n': subscription_type map needs the options of `map:`"),
        ("    map:\n      mode: persistent\n", "f:4: namespace 'n': `map:` needs a subscription_type"),
        ("    subscription_type: map\n    map: 5\n", "f:4: namespace 'n': map must hold options"),
        (MAP + "      key_ttl: 5\n", "f:5: namespace 'n': map: mode is missing"),
        (MAP + "      mode: magic\n", "f:5: namespace 'n': map: mode: Invalid"),
        (MAP + "      mode: persistent\n      nope: 1\n", "f:6: namespace 'n': map: unknown"),
        (EPHEMERAL + "      max_keys: 0\n", "f:7: namespace 'n': map: max_keys: Expected `int` >= 1"),
        (MAP + "      mode: ephemeral\n", "f:5: namespace 'n': map: a map in mode"),
        (MAP + "      mode: persistent\n      key_ttl: 1m\n", "f:6: namespace 'n': map: keys"),
        (EPHEMERAL + "      meta_ttl: 60\n", "f:7: namespace 'n': map: meta_ttl must not be shorter"),
        (EPHEMERAL + "      default_page_size: 5\n", "f:7: namespace 'n': map: default_page_size must lie"),
        (EPHEMERAL + "      remove_client_on_unsubscribe: true\n", "f:7: namespace 'n': map: remove_client_on"),
        (
            MAP + "      mode: persistent\n      client_key: client_id\n      remove_client_on_unsubscribe: true\n",
            "f:7: namespace 'n': map: keys of a persistent map outlive",
        ),
        (EPHEMERAL + "    history_size: 5\n", "f:7: namespace 'n': history_size is for streams"),
        (EPHEMERAL + "    durable: true\n", "f:7: namespace 'n': durable is for streams"),
        ("    subscription_type: stack\n", "f:3: namespace 'n': subscription_type: Invalid"),
        ("    subscription_type: shared_poll\n", "f:3: namespace 'n': subscription_type shared_poll needs the options"),
        ("    shared_poll:\n      callback: c\n", "namespace 'n': `shared_poll:` needs a subscription_type"),
        (POLL + "      interval_ms: 5000\n", "f:5: namespace 'n': shared_poll: callback is missing"),
        (POLL + "      callback: ''\n", "f:5: namespace 'n': shared_poll: callback names the Python callback"),
        (POLL + "      callback: c\n      interval_ms: 99\n", "f:6: namespace 'n': shared_poll: interval_ms: Expected"),
        (
            POLL + "      callback: c\n      max_keys_per_subscriber: 10000\n",
            "f:6: namespace 'n': shared_poll: max_keys_per_subscriber values of max_value_bytes must not exceed",
        ),
        (POLL + "      callback: c\n    history_size: 5\n", "f:6: namespace 'n': history_size is for streams"),
        (
            POLL + "      callback: c\n    allow_publish_for_client: true\n",
            "f:6: namespace 'n': allow_publish_for_client is for streams",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_a_group_is_reported_with_its_line(text: str, expected: str) -> None:
    assert any(expected in mistake for mistake in mistakes(text)), mistakes(text)
