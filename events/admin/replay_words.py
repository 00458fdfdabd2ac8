"""A replay in words: what a rebuild has found, and how long things take."""

from django.contrib.humanize.templatetags.humanize import intcomma

from events.admin.cells import Cell, listed
from events.models import Replay


def rebuilt(replay: Replay) -> Cell:
    """Say what a rebuild has found: rows that were not what the log says are worth a question."""
    said = [f"{intcomma(replay.streams)} streams folded again from {intcomma(replay.events)} events."]
    if replay.differing:
        some = ", ".join(f"{stream} ({count})" for stream, count in replay.result.get("differing", []))
        rows, were = ("row", "was") if replay.differing == 1 else ("rows", "were")
        counted = f"{intcomma(replay.differing)} {rows} {were} not what the log says, and {were} put right."
        said.append(f"{counted} Streams: {some}.")
    elif replay.streams:
        said.append("All rows were what the log says.")
    if replay.broken:
        some = ", ".join(f"{stream} ({why})" for stream, why in replay.result.get("broken", []))
        said.append(f"{intcomma(replay.broken)} streams failed and were left as they were: {some}.")
    if replay.without_payload:
        said.append(
            f"{intcomma(replay.without_payload)} events had no payload any more: they changed nothing."
        )
    return listed(said)


def duration(seconds: float) -> str:
    """Return a length of time in words, to two places."""
    whole = max(1, round(seconds))
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [
        f"{count} {name}"
        for count, name in ((days, "d"), (hours, "h"), (minutes, "min"), (left, "s"))
        if count
    ]
    return " ".join(parts[:2])
