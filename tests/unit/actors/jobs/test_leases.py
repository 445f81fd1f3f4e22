"""What is rescued, and above all what is not."""

from collections.abc import Mapping
from uuid import UUID, uuid4

import pytest

from actors.agents.actor import default_capacity
from actors.jobs.actor import BATCH
from actors.jobs.contract import BEAT_S, Token
from actors.jobs.leases import LEASE_S, SILENT_S, STALL_S, Agent, Lease, LeaseBook
from actors.jobs.turns import Room
from cluster.settings import Settings


def lease(book: LeaseBook, agent: Agent, now: float, *, queue: str = "q", key: str | None = None) -> Lease:
    made = Lease(uuid4(), uuid4(), 1, 1, 5, kind="k", queue=queue, seen_at=now, key=key)
    book.grant(made, agent)
    made.delivered = True
    return made


def run(book: LeaseBook, since: float, until: float, reports: dict[UUID, tuple[str, list[Token]]]) -> list[str]:
    """Ticks each second and beats every two, as given by boot id. Returns reasons of rescues."""
    reasons = []
    now = since
    while now < until:
        now += 1.0
        if int(now - since) % int(BEAT_S) == 0:
            for boot, (node, live) in reports.items():
                book.report(book.heard(boot, node, now), live, now)
        reasons += [rescue.reason for rescue in book.overdue(now)]
    return reasons


def test_a_reported_lease_lives_for_ever() -> None:
    book = LeaseBook(0.0)
    boot = uuid4()
    held = lease(book, book.heard(boot, "n", 0.0), 0.0)
    assert run(book, 0.0, 600.0, {boot: ("n", [held.token])}) == []


def test_a_silent_node_is_rescued_after_a_lease_and_not_before() -> None:
    book = LeaseBook(0.0)
    quiet, loud = uuid4(), uuid4()
    lease(book, book.heard(quiet, "n1", 0.0), 0.0)
    others: dict[UUID, tuple[str, list[Token]]] = {loud: ("n2", [])}
    assert run(book, 0.0, LEASE_S - 1, others) == []
    assert run(book, LEASE_S - 1, LEASE_S + 1, others)[:1] == ["its node has fallen silent"]


def test_a_lease_its_agent_does_not_report_for_two_beats_is_rescued() -> None:
    book = LeaseBook(0.0)
    boot = uuid4()
    agent = book.heard(boot, "n", 0.0)
    kept = lease(book, agent, 0.0)
    run(book, 0.0, 20.0, {boot: ("n", [kept.token])})
    gone = lease(book, agent, 20.0)
    assert run(book, 20.0, 22.0, {boot: ("n", [kept.token])}) == []
    assert run(book, 22.0, 25.0, {boot: ("n", [kept.token])})[:1] == ["its agent does not know it"]
    assert [r.lease.id for r in book.overdue(25.0)] == [gone.id]


def test_what_its_agent_never_named_has_not_begun() -> None:
    """The reply that carried it was lost."""
    book = LeaseBook(0.0)
    boot = uuid4()
    agent = book.heard(boot, "n", 0.0)
    run(book, 0.0, 20.0, {boot: ("n", [])})
    named, lost = lease(book, agent, 20.0), lease(book, agent, 20.0)
    book.report(agent, [named.token], 20.0)
    run(book, 20.0, 24.0, {boot: ("n", [])})
    rescues = book.overdue(24.0)
    assert {rescue.lease.id: rescue.lease.reported for rescue in rescues} == {named.id: True, lost.id: False}
    assert not any(rescue.agent_ended for rescue in rescues)


def test_a_lease_that_replaces_another_of_its_job_takes_its_slot() -> None:
    book = LeaseBook(0.0)
    agent = book.heard(uuid4(), "n", 0.0)
    former = lease(book, agent, 0.0)
    again = Lease(former.id, uuid4(), 2, 2, 5, kind="k", queue="q", seen_at=1.0)
    book.grant(again, agent)
    assert agent.held == {"q": 1}
    book.adopt([Lease(former.id, uuid4(), 3, 3, 5, kind="k", queue="q", seen_at=2.0, node="n")])
    assert agent.held == {"q": 0}


def test_what_is_still_in_the_outbox_is_not_missed() -> None:
    book = LeaseBook(0.0)
    boot = uuid4()
    agent = book.heard(boot, "n", 0.0)
    run(book, 0.0, 20.0, {boot: ("n", [])})
    waiting = lease(book, agent, 20.0)
    waiting.delivered = False
    assert run(book, 20.0, 60.0, {boot: ("n", [])}) == []


def test_a_new_process_on_the_node_ends_the_old_ones_leases_at_once() -> None:
    book = LeaseBook(0.0)
    old = book.heard(uuid4(), "n", 0.0)
    lease(book, old, 0.0)
    book.heard(uuid4(), "n", 1.0)
    (rescue,) = book.overdue(1.0)
    assert (rescue.reason, rescue.agent_ended) == ("the agent that ran it was replaced", True)


def test_an_agent_is_silent_once_it_has_missed_its_beats() -> None:
    book = LeaseBook(0.0)
    boot = uuid4()
    book.heard(boot, "n", 0.0)
    assert [book.is_silent(boot, now) for now in (2 * BEAT_S, SILENT_S + 0.1)] == [False, True]
    assert SILENT_S < LEASE_S, "what is rescued from a silent agent must not go back to it"
    assert not book.is_silent(uuid4(), 100.0)


def test_a_process_is_replaced_by_the_next_of_its_node_and_by_no_other() -> None:
    book = LeaseBook(0.0)
    old, other = book.heard(uuid4(), "n", 0.0), book.heard(uuid4(), "m", 1.0)
    assert [book.is_replaced(agent) for agent in (old, other)] == [False, False]
    new = book.heard(uuid4(), "n", 2.0)
    book.heard(old.boot, "n", 3.0)
    assert [book.is_replaced(agent) for agent in (old, other, new)] == [True, False, False]


def test_a_late_call_of_the_old_process_does_not_take_from_the_new_one() -> None:
    book = LeaseBook(0.0)
    old_boot, new_boot = uuid4(), uuid4()
    book.heard(old_boot, "n", 0.0)
    held = lease(book, book.heard(new_boot, "n", 1.0), 1.0)
    book.heard(old_boot, "n", 2.0)
    book.report(book.agents[new_boot], [held.token], 2.0)
    assert book.overdue(2.0) == []


def test_after_a_change_of_owner_nothing_is_rescued_before_a_full_lease() -> None:
    """An outage of the owner must not make every long job run twice (DESIGN §5, 16)."""
    book = LeaseBook(1_000.0)
    adopted = Lease(uuid4(), uuid4(), 7, 1, 5, kind="k", queue="q", seen_at=1_000.0, node="n1")
    orphan = Lease(uuid4(), uuid4(), 8, 1, 5, kind="k", queue="q", seen_at=1_000.0, node="n2")
    book.adopt([adopted, orphan])
    boot = uuid4()
    reports = {boot: ("n1", [adopted.token])}
    assert run(book, 1_000.0, 1_000.0 + LEASE_S, reports) == []
    run(book, 1_000.0 + LEASE_S, 1_000.0 + LEASE_S + 3, reports)
    assert [r.lease.id for r in book.overdue(1_000.0 + LEASE_S + 3)] == [orphan.id]
    assert adopted.agent == boot
    assert book.agents[boot].held == {"q": 1}


@pytest.mark.parametrize("pause_s", [STALL_S + 1, 120.0])
def test_when_the_owner_stood_still_everybody_gets_a_full_lease_again(pause_s: float) -> None:
    book = LeaseBook(0.0)
    boot = uuid4()
    held = lease(book, book.heard(boot, "n", 0.0), 0.0)
    run(book, 0.0, 20.0, {boot: ("n", [held.token])})
    later = 20.0 + pause_s
    assert book.overdue(later) == []
    assert run(book, later, later + LEASE_S - 1, {}) == []


def test_a_lost_database_starts_the_count_anew() -> None:
    book = LeaseBook(0.0)
    quiet, loud = uuid4(), uuid4()
    lease(book, book.heard(quiet, "n1", 0.0), 0.0)
    others: dict[UUID, tuple[str, list[Token]]] = {loud: ("n2", [])}
    run(book, 0.0, 6.0, others)
    book.break_contact(6.0)
    assert run(book, 6.0, 6.0 + LEASE_S - 1, others) == []
    assert run(book, 6.0 + LEASE_S - 1, 6.0 + LEASE_S + 1, others) != []


def test_when_nobody_was_heard_the_first_voice_starts_the_count_anew() -> None:
    book = LeaseBook(0.0)
    lease(book, book.heard(uuid4(), "n1", 0.0), 0.0)
    for second in range(1, 8):
        book.overdue(float(second))
    now = LEASE_S + 0.5
    boot = uuid4()
    book.heard(boot, "n2", now)
    assert book.overdue(now) == []


def test_a_lease_whose_end_is_being_written_is_left_alone() -> None:
    book = LeaseBook(0.0)
    old = book.heard(uuid4(), "n", 0.0)
    lease(book, old, 0.0).ending = True
    book.heard(uuid4(), "n", 1.0)
    assert book.overdue(1.0) == []


def test_tokens_of_others_are_lost() -> None:
    book = LeaseBook(0.0)
    agent = book.heard(uuid4(), "n", 0.0)
    held = lease(book, agent, 0.0)
    stale = Token(held.id, held.owner, held.number + 1)
    unknown = Token(uuid4(), uuid4(), 1)
    assert book.report(agent, [stale, unknown, held.token], 1.0) == [stale, unknown]


def places(book: LeaseBook, agent: Agent, may_start: Mapping[str, int], limit: int) -> dict[str, int]:
    return {queue: room.places for queue, room in book.room(agent, may_start, limit).items()}


def test_room_counts_what_is_held_and_knows_a_place_for_unknown_queues() -> None:
    book = LeaseBook(0.0)
    agent = book.heard(uuid4(), "n", 0.0)
    agent.capacity = {"q": 3, "*": 2}
    held = lease(book, agent, 0.0)
    lease(book, agent, 0.0, queue="other")
    queues = dict.fromkeys(["q", "other", "third"], 99)
    assert places(book, agent, queues, 50) == {"q": 2, "other": 1, "third": 2}
    assert places(book, agent, queues, 3) == {"q": 1, "other": 1, "third": 1}
    assert places(book, agent, queues, 4) == {"q": 2, "other": 1, "third": 1}
    assert places(book, agent, queues, 2) == {"q": 1, "other": 1}
    book.drop(held.id)
    assert places(book, agent, {"q": 99}, 50) == {"q": 3}
    book.drop(held.id)
    assert places(book, agent, {"q": 99}, 50) == {"q": 3}


def test_the_last_places_of_a_queue_are_kept() -> None:
    book = LeaseBook(0.0)
    agent = book.heard(uuid4(), "n", 0.0)
    agent.capacity = {"q": 16, "small": 7}
    assert book.room(agent, {"q": 99, "small": 99}, 50) == {"q": Room(16, 2), "small": Room(7, 0)}
    assert book.room(agent, {"q": 99}, 15) == {"q": Room(15, 1)}
    assert book.room(agent, {"q": 99}, 14) == {"q": Room(14, 0)}, "two are free beside these"
    for _ in range(15):
        lease(book, agent, 0.0)
    assert book.room(agent, {"q": 99}, 50) == {"q": Room(1, 1)}


def test_an_idle_agent_has_room_in_every_queue() -> None:
    """Exports used to wait until something else ran: what was free in the others used up the whole round."""
    book = LeaseBook(0.0)
    agent = book.heard(uuid4(), "node", 0.0)
    agent.capacity = default_capacity(2, Settings(_env_file=None))  # type: ignore[call-arg]
    queues = [queue for queue in agent.capacity if queue != "*"]
    room = places(book, agent, dict.fromkeys(queues, 99), BATCH)
    assert set(room) == set(queues)
    assert sum(room.values()) <= BATCH


def test_what_may_start_in_a_queue_bounds_what_an_agent_is_given() -> None:
    book = LeaseBook(0.0)
    agent = book.heard(uuid4(), "n", 0.0)
    agent.capacity = {"*": 4}
    assert places(book, agent, {"a": 1, "b": 99}, 50) == {"a": 1, "b": 4}


def test_leases_are_counted_by_queue_and_key_however_they_come_and_go() -> None:
    book = LeaseBook(0.0)
    agent = book.heard(uuid4(), "n", 0.0)
    held = [lease(book, agent, 0.0, key=key) for key in ("a", "a", "b", None)]
    assert (book.running("q"), book.running("r")) == (4, 0)
    assert [book.running_of("q", key) for key in ("a", "b", None, "c")] == [2, 1, 1, 0]
    again = Lease(held[0].id, uuid4(), 2, 2, 5, kind="k", queue="q", seen_at=1.0, key="a")
    book.adopt([again])  # another owner's word about the same job
    book.grant(again, agent)
    assert (book.running("q"), book.running_of("q", "a")) == (4, 2)
    for each in held:
        book.drop(each.id)
        book.drop(each.id)
    assert (book.running("q"), book.running_of("q", "a"), book.running_of("q", None)) == (0, 0, 0)
