"""The history of the schema is one line: two heads would be found only when somebody migrates."""

from alembic.config import Config
from alembic.script import ScriptDirectory

from cluster.settings import ROOT


def test_there_is_one_head_and_no_branch() -> None:
    scripts = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))
    assert len(scripts.get_heads()) == 1, scripts.get_heads()
    assert not any(revision.is_branch_point for revision in scripts.walk_revisions())


def test_files_are_named_after_their_revision_and_numbered_in_order() -> None:
    scripts = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))
    revisions = [revision.revision for revision in scripts.walk_revisions()][::-1]
    assert revisions == sorted(revisions)
    assert {path.stem for path in (ROOT / "db/migrations/versions").glob("[0-9]*.py")} == set(revisions)
