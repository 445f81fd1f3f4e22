"""A process keeps its name through its lives on the roster."""

from db.session_events.boots import process_of, renewed


def test_each_life_has_a_name_of_its_own_and_belongs_to_the_same_process():
    lives = ["abc"]
    while len(lives) < 12:
        lives.append(renewed(lives[-1]))
    assert len(set(lives)) == 12
    assert {process_of(life) for life in lives} == {"abc"}
