"""What a check has found: one line, and what to do about it. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum

WITH_URL = "run it with --url, such as --url https://clarion.example.com"
"""What to do where only the server's own address can tell."""

Value = float | int | str | bool | None


class Level(StrEnum):
    """How it is. The value is what ``--json`` says."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOT_RUN = "not_run"

    @property
    def word(self) -> str:
        """The word at the beginning of a line."""
        return {"fail": "FAIL", "not_run": "not run"}.get(self.value, self.value)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. Neither text holds a secret, a URL with a password, or a player's data."""

    level: Level
    text: str  # one sentence without a full stop
    advice: str = ""  # what to do, one sentence; empty only when all is well
    values: dict[str, Value] = field(default_factory=dict)  # what was measured; units are in the names


def ok(text: str, **values: Value) -> Finding:
    """Say that it is as it should be."""
    return Finding(level=Level.OK, text=text, values=values)


def warn(text: str, advice: str, **values: Value) -> Finding:
    """Say that it works, and should be looked at."""
    return Finding(level=Level.WARN, text=text, advice=advice, values=values)


def fail(text: str, advice: str, **values: Value) -> Finding:
    """Say that something that Clarion promises does not hold, or will not hold for long."""
    return Finding(level=Level.FAIL, text=text, advice=advice, values=values)


def not_run(text: str, advice: str = "") -> Finding:
    """Say that it was not looked at, why, and how to have it looked at."""
    return Finding(level=Level.NOT_RUN, text=text, advice=advice)
