from serve_app.server_api.methods import METHODS

NAMES = {
    "publish", "broadcast", "subscribe", "unsubscribe", "disconnect", "refresh", "presence", "presence_stats",
    "history", "history_remove", "channels", "info", "rpc", "send",
}  # fmt: skip


def test_every_method_of_the_protocol_is_there_under_its_name() -> None:
    assert METHODS.keys() >= NAMES
    assert all(method.name == name for name, method in METHODS.items())
    assert all(method.permission.startswith("realtime:") for method in METHODS.values())
