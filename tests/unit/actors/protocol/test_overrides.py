from typing import Any

import pytest

from actors.protocol import overrides
from actors.protocol.namespace import Namespace

KEPT = {"history_size": 1, "history_ttl_s": 1}


def test_a_claim_names_options_and_values() -> None:
    claim = {"join_leave": {"value": True}, "presence": {"value": False}, "durable": {"value": True}, "other": 1}
    assert overrides.parse(claim) == (("presence", False), ("join_leave", True))
    assert overrides.parse(None) == overrides.parse({}) == overrides.parse({"presence": None}) == ()


@pytest.mark.parametrize("claim", [1, [], {"presence": True}, {"presence": {"value": 1}}, {"presence": {}}])
def test_nonsense_is_refused(claim: Any) -> None:
    with pytest.raises(ValueError, match="override"):
        overrides.parse(claim)


def test_rules_change_for_one_subscription() -> None:
    rules = Namespace(presence=True, **KEPT)  # type: ignore[arg-type]
    changed = overrides.apply(rules, overrides.of({"presence": False, "force_recovery": True, "durable": True}))
    assert (changed.presence, changed.force_recovery, changed.durable) == (False, True, False)
    assert overrides.apply(rules, ()) is rules


def test_what_a_namespace_cannot_do_stays_off() -> None:
    changed = overrides.apply(Namespace(), overrides.of({"force_recovery": True, "force_positioning": True}))
    assert (changed.force_recovery, changed.force_positioning) == (False, False)
    latest = Namespace(batch_flush_latest=True, **KEPT)  # type: ignore[arg-type]
    assert not overrides.apply(latest, overrides.of({"force_recovery": True})).force_recovery
    assert not overrides.apply(Namespace(), overrides.of({"force_push_join_leave": True})).force_push_join_leave
    both = overrides.of({"force_push_join_leave": True, "join_leave": True})
    assert overrides.apply(Namespace(), both).force_push_join_leave
