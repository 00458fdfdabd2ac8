"""Why something cannot be reached is told in our own words, whatever the library's text holds."""

import pytest

from config.doctor.reasons import reason

SECRET = "hunter2-is-the-password"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens there"),
        (TimeoutError("timed out"), "it did not answer in time"),
        (OSError(f'FATAL: password authentication failed for user "{SECRET}"'), "the password is wrong"),
        (OSError(f'FATAL: database "{SECRET}" does not exist'), "there is no such database or user"),
        (OSError(-2, "Name or service not known"), "its host name is not known here"),
        (OSError(f"(403) ACCESS_REFUSED - {SECRET}"), "user or password is wrong"),
    ],
)
def test_what_servers_say_is_told_in_other_words(error: Exception, said: str) -> None:
    told = reason(error)
    assert said in told
    assert type(error).__name__ in told
    assert SECRET not in told


def test_what_nobody_knows_is_told_by_its_class_only() -> None:
    assert reason(ValueError(SECRET)) == "ValueError"


def test_the_cause_says_why_where_the_error_itself_does_not() -> None:
    wrapped = RuntimeError("could not")
    wrapped.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert reason(wrapped) == "nothing listens there (RuntimeError)"
