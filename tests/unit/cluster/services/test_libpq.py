import pytest

from cluster.services import libpq


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db.example/app",
        "postgresql://u:p%40@db.example/app?sslmode=verify-full&sslrootcert=/ca.pem&application_name=a%20b",
        "postgresql://u@/app?host=/var/run/postgresql&options=-c%20geqo=off",
    ],
)
def test_what_libpq_knows_is_left_as_it_is(url: str) -> None:
    assert libpq.uri(url) == url


def test_settings_of_the_session_are_options() -> None:
    assert libpq.uri("postgresql://u:p%40@db/app?sslmode=disable&jit=off") == (
        "postgresql://u:p%40@db/app?sslmode=disable&options=-c%20jit%3Doff"
    )
    assert libpq.uri("postgresql://db/app?search_path=a,%20b&options=-c%20geqo=off") == (
        "postgresql://db/app?options=-c%20geqo%3Doff%20-c%20search_path%3Da%2C%5C%20b"
    )


def test_values_with_blanks_and_backslashes_stay_one_word() -> None:
    assert libpq.options("-c geqo=off", {"search_path": "a, b\\"}) == "-c geqo=off -c search_path=a,\\ b\\\\"
    assert libpq.options("", {}) == ""


def test_variables_are_kept_that_the_application_reads_too() -> None:
    kept = {"PGPASSWORD": "p", "PGPASSFILE": "/p", "PGSSLMODE": "require", "PGUSER": "ada", "PGDATA": "/data"}
    environ = {**kept, "PGSERVICE": "elsewhere", "PGHOSTADDR": "10.0.0.1", "PGOPTIONS": "-c x.y=1", "PGAPPNAME": "me"}
    libpq.forget_foreign(environ)
    assert environ == kept
