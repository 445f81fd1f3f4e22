import pytest

from actors.protocol.namespace_file import NamespaceMistake, read


def mistakes(text: str) -> list[str]:
    with pytest.raises(NamespaceMistake) as caught:
        read(text, source="f")
    return caught.value.mistakes


@pytest.mark.parametrize(("written", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200), ("7d", 604800)])
def test_durations(written: str, seconds: int) -> None:
    text = f"namespaces:\n  n:\n    history_size: 1\n    history_ttl: {written}\n"
    assert read(text, "f").namespaces["n"].history_ttl_s == seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("namespaces:\n  n:\n    presence: 1\n", "f:3: namespace 'n': presence: Expected `bool`, got `int`"),
        ("namespaces:\n  n:\n    presense: true\n", "f:3: namespace 'n': unknown option 'presense'"),
        ("namespaces:\n  n:\n    history_ttl_s: 5\n", "f:3: namespace 'n': unknown option 'history_ttl_s'"),
        ("namespaces:\n  n:\n    presence: true\n    presence: true\n", "f:4: 'presence' is given twice"),
        ("namespaces:\n  n:\n    batch_max_size: 3\n", "f:3: namespace 'n': batch_max_size needs batch_max_delay_ms"),
        ("namespaces:\n  n:\n    batch_flush_latest: true\n", "batch_flush_latest needs batch_max_delay_ms"),
        (
            "namespaces:\n  n:\n    batch_flush_latest: true\n    batch_max_delay_ms: 5\n    allow_positioning: true\n"
            "    history_size: 1\n    history_ttl: 5\n",
            "f:5: namespace 'n': allow_positioning promises every publication",
        ),
        ("namespaces:\n  n:\n    allow_recovery: true\n", "needs history_size and history_ttl"),
        ("namespaces:\n  n:\n    durable: true\n", "f:3: namespace 'n': durable needs history_size and history_ttl"),
        ("namespaces:\n  n:\n    history_size: 5\n", "history needs both"),
        ("namespaces:\n  n:\n    history_size: 1\n    history_ttl: 5y\n", "f:4: namespace 'n': history_ttl: expected"),
        ("namespaces:\n  n:\n    history_size: 99999999\n    history_ttl: 5\n", "f:3: namespace 'n': history_size"),
        ("namespaces:\n  n:\n    history_meta_ttl: 60\n    history_size: 1\n    history_ttl: 61\n", "f:3: "),
        ("namespaces:\n  n:\n    force_push_join_leave: true\n", "f:3: namespace 'n': force_push_join_leave needs"),
        ("namespaces:\n  n:\n    force_recovery_mode: magic\n", "f:3: namespace 'n': force_recovery_mode"),
        ("namespaces:\n  n:\n    channel_regex: '('\n", "f:3: namespace 'n': not a regular expression"),
        ("namespaces:\n  n:\n    pattern: users/:x\n", "f:3: namespace 'n': pattern: a pattern begins with /"),
        ("namespaces:\n  n:\n    pattern: /:x\n  m:\n    pattern: /:y\n", "f:5: namespace 'm': '/:y' fits the same"),
        ("namespaces:\n  n:\n    durable: true\n    pattern: /:x\n", "f:4: namespace 'n': a namespace with a pattern"),
        ("personal_channel_namespace: n\nnamespaces:\n  n:\n    pattern: /:x\n", "f:1: personal_channel_namespace"),
        ("namespaces: {}\nrate_limits: 5\n", "f:2: 'rate_limits' must hold"),
        ("namespaces: {}\nrate_limits:\n  everybody: {}\n", "f:3: rate_limits: unknown option 'everybody'"),
        ("namespaces: {}\nrate_limits:\n  user:\n    publish: 5\n", "f:4: rate_limits: user: publish: Expected `str`"),
        ("namespaces: {}\nrate_limits:\n  user:\n    publish: 5/w\n", "f:4: rate_limits: user: publish: Expected"),
        ("namespaces:\n  n:\n    channel_publish_rate: 5\n", "f:3: namespace 'n': channel_publish_rate: Expected"),
        ("namespaces:\n  N!: {}\n", "f:2: 'N!' is no name"),
        ("namespaces:\n  users: {}\n", "f:2: 'users' is no name for a namespace: '$users:' is presence"),
        ("namespaces:\n  n: 5\n", "f:2: namespace 'n' must hold options"),
        ("namespaces: 5\n", "f:1: 'namespaces' must hold"),
        ("namespaces:\n  <<: 5\n", "f:2: expected a mapping"),
        ("namespaces: {}\nfoo: 1\n", "f:2: unknown setting 'foo'"),
        (
            "personal_channel_namespace: n\nnamespaces:\n  n:\n    subscription_type: map\n"
            "    map:\n      mode: ephemeral\n      key_ttl: 1m\n",
            "f:1: personal_channel_namespace 'n' must be one of streams",
        ),
        ("namespaces: {}\npersonal_channel_namespace: u\n", "f:2: personal_channel_namespace 'u' is not declared"),
        ("{}", "f:1: expected 'namespaces:'"),
        ("", "f:1: expected 'namespaces:'"),
        ("a: [\n", "f:2: "),
        ("a: \x00", "f:1: "),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_line(text: str, expected: str) -> None:
    assert any(expected in mistake for mistake in mistakes(text)), mistakes(text)


def test_all_mistakes_are_reported_at_once() -> None:
    found = mistakes("namespaces:\n  a:\n    presence: 1\n  b:\n    nope: 1\nextra: 1\n")
    assert [line.split(":")[1] for line in found] == ["3", "5", "6"]


def test_rates_are_read() -> None:
    text = "namespaces:\n  n:\n    publish_rate: 5/m\nrate_limits:\n  connection:\n    all: 100/s\n"
    declared = read(text, "f")
    assert (declared.rate_limits.connection.all, declared.rate_limits.user.all) == ("100/s", "")
    assert declared.namespaces["n"].has_rates
