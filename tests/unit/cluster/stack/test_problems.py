import errno
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from cluster.services.errors import ServiceError
from cluster.settings import Settings
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


def test_wrong_settings_are_named_as_people_write_them_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_PING_SECONDS", "soon")
    monkeypatch.setenv("SMTP_PORT", "0")
    monkeypatch.setenv("TRUSTED_PROXIES", "nowhere")
    with pytest.raises(ValidationError) as wrong:
        Settings(_env_file=None)
    said = sentence(wrong.value, HOME)
    assert "\n" not in said
    assert "REALTIME_PING_SECONDS: Input should be a valid integer" in said
    assert "SMTP_PORT: Input should be greater than or equal to 1" in said
    assert "TRUSTED_PROXIES: 'nowhere' does not appear to be" in said
    assert said.endswith("(set in the environment or in .env; docs/settings.md)")
    assert "pydantic" not in said
