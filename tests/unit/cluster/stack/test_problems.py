import errno
import os
from pathlib import Path

import pytest

from cluster.services.errors import ServiceError
from cluster.stack.problems import REMEDIES, sentence

HOME = Path("/srv/mobula/.mobula")


def refused(number: int, filename: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), *([] if filename is None else [filename]))


def test_a_full_disk_names_the_place_that_the_system_does_not() -> None:
    said = sentence(refused(errno.ENOSPC), HOME)
    assert said.startswith(f"there is no space left on the disk of {HOME}: free some")
    assert "/data/x" in sentence(refused(errno.ENOSPC, "/data/x"), HOME)


@pytest.mark.parametrize("number", sorted(REMEDIES))
def test_what_is_said_is_one_sentence_with_its_remedy(number: int) -> None:
    said = sentence(refused(number, "/x"), HOME)
    assert "Errno" not in said
    assert "\n" not in said
    assert ": " in said


def test_what_already_is_a_sentence_stays_as_it_is() -> None:
    assert sentence(ServiceError("port 8000 is taken: stop it"), HOME) == "port 8000 is taken: stop it"
    assert sentence(PermissionError("/x belongs to somebody else: give it back"), HOME).startswith("/x belongs to")
    assert sentence(refused(errno.ENOTDIR, "/x"), HOME) == "[Errno 20] Not a directory: '/x'"
    assert sentence(TimeoutError(), HOME) == "TimeoutError"


def test_a_refusal_without_a_file_is_not_blamed_on_one() -> None:
    assert str(HOME) not in sentence(refused(errno.EACCES), HOME)
