from cluster import decisions_docs
from cluster.decisions_docs import WHOLE, places, render
from cluster.settings import ROOT

TEXT = """# Decisions

## Architecture

**D-001 · One commit, in
one place.** Because `db/session.py`. *Check:* `tests/unit/db/jobs/test_queue.py`, `tests/e2e/test_sdks.py`.

**D-002 · Of taste.** *Check:* none.

**D-003 · Shown.** *Check:* `frontend/tests/x.test.tsx`, `actors/brokers/view.py`.

## Dependencies

| a | b |
"""


def test_a_decision_is_listed_under_each_part_that_it_names() -> None:
    page = render(TEXT)
    assert (
        "## the whole\n\n- D-002 Of taste\n\n## actors/brokers\n\n- D-003 Shown\n\n## db\n\n- D-001 One commit" in page
    )
    assert "## db/jobs\n\n- D-001 One commit, in one place\n" in page
    assert page.endswith("## frontend\n\n- D-003 Shown\n\n## e2e\n\n- D-001 One commit, in one place\n")


def test_a_module_of_a_room_belongs_to_the_room_and_a_test_to_what_it_tests() -> None:
    assert places("`cluster/paths.py`, `tests/unit/cluster/test_paths.py`") == ["cluster"]
    assert places("`tests/cluster/cluster/stack/test_joining.py`") == ["cluster/stack"]
    assert places("seen on paper") == [WHOLE]


def test_no_decision_is_missing() -> None:
    text = (ROOT / "DECISIONS.md").read_text(encoding="utf-8")
    page = next(iter(decisions_docs.generated().values()))
    numbers = [line.split(" ")[0].removeprefix("**") for line in text.splitlines() if line.startswith("**D-")]
    assert len(numbers) > 170
    assert [number for number in numbers if f"- {number} " not in page] == []
