"""What happened to dead letters, as a table: to one, step by step; to a group, in large."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.html import format_html, format_html_join

from events.admin.cells import EMPTY, Cell, at
from events.admin.letter_words import Line
from events.models import DeadLetter, LetterStep, RetryRound

STEPS_MAX = 200
"""So many of the newest are shown: a letter of a day has some thirty."""


def steps_of(letter: DeadLetter) -> Cell:
    """Return a letter's history as a table, the newest first."""
    rows = list(letter.steps.order_by("-id")[:STEPS_MAX])
    told = [
        (at(row.at), row.by or "Clarion", _came(row), str(row.version), row.reason or EMPTY) for row in rows
    ]
    told.append((at(letter.created), "Clarion", "parked", EMPTY, EMPTY))
    body = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", told)
    return format_html(
        '<div class="console-scroll console-within"><table class="console-table"><thead><tr><th>when</th>'
        "<th>by</th><th>came to</th><th>version</th><th>reason</th></tr></thead><tbody>{}</tbody></table></div>",
        body,
    )


def timeline(line: Line, rows: Sequence[RetryRound]) -> list[tuple[Cell, str]]:
    """Return what happened to a group, in order of time."""
    found: list[tuple[datetime, str]] = [(line.facts.first_seen, "first parked")]
    for row in rows:
        what = "skip" if row.skips else "retry"
        found.append((row.created, f"{row.by} began a {what} of {row.total:,}: {row.reason}"))
        if row.finished:
            ended = (
                f"the {what} {row.get_state_display()}: {row.passed:,} went through, {row.failed:,} did not"
            )
            found.append((row.finished, ended))
    found.append((line.group.last_seen, "one failed last"))
    return [(at(moment), said) for moment, said in sorted(found)]


def _came(row: LetterStep) -> str:
    said = f"{row.get_outcome_display()}{f': {row.cause}' if row.cause else ''}"
    if row.events and row.outcome == LetterStep.Outcome.SKIPPED:
        return f"{said}, {row.events:,} event{'' if row.events == 1 else 's'}"
    return f"{said}, after {row.events:,} processed" if row.events else said
