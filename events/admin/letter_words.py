"""How the *Dead letters* screens word what they show: the page and its live answers say the same."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse

from events.admin.cells import EMPTY, Cell, address_of, ago, link, page_of
from events.errors import UnknownHub
from events.hubs.letters.failing import DIED
from events.hubs.letters.groups import Facts, Group, Key
from events.hubs.registry import hub as registered
from events.models import DeadLetter, LetterState, RetryRound

NO_FINGERPRINT = "-"
"""Stands for the empty one in an address."""
PLACE = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
PLAYERS = "player."
"""Streams of such events are players."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A group's line in the list."""

    group: Group
    facts: Facts

    @property
    def key(self) -> str:
        """Return what names it in the page."""
        return "/".join(self.group.key)

    @property
    def url(self) -> str:
        """Return the address of its page."""
        return group_url(self.group.key)

    @property
    def cause(self) -> str:
        """Return the cause in one line."""
        return cause_of(self.group.sample)

    @property
    def types(self) -> str:
        """Name the type of the events at which they stand."""
        return types_of(self.group, self.facts)

    @property
    def games(self) -> list[Cell]:
        """Link to the games."""
        return [link(page_of(cell.sample.game), cell.sample.game.slug) for cell in self.group.cells]

    @property
    def first(self) -> Cell:
        """Say since when there are any."""
        return ago(self.facts.first_seen)

    @property
    def sample(self) -> str:
        """Return the address of a letter, one that waits if any does."""
        return page_of(self.group.sample)

    @property
    def cells(self) -> dict[str, Cell]:
        """Return what stays live."""
        return {
            **{name: str(self.facts.counts[state]) for name, state in COLUMNS.items()},
            "streams": streams_of(self.group, self.facts),
            "last": ago(self.group.last_seen),
            "next": next_of(self.facts),
        }


COLUMNS = {
    "waiting": LetterState.WAITING,
    "retrying": LetterState.RETRYING,
    "resolved": LetterState.RESOLVED,
    "skipped": LetterState.SKIPPED,
}


def told(lines: Iterable[Line], more: bool) -> dict[str, Any]:
    """Return what the list asks for every few seconds."""
    return {
        "at": datetime.now(UTC).isoformat(),
        "groups": [{"key": line.key, "cells": line.cells} for line in lines],
        "more": more,
    }


def cause_of(letter: DeadLetter) -> str:
    """Return the class of the error and the innermost place, such as ``KeyError in fold, profiles.py 112``."""
    places = PLACE.findall(letter.traceback)
    if not places:
        return f"{letter.cause}: the process ended each time" if letter.cause == DIED else letter.cause
    path, line, function = places[-1]
    return f"{letter.cause} in {function}, {path.rsplit('/', 1)[-1]} {line}"


def types_of(group: Group, facts: Facts) -> str:
    """Name the type of a sample's event, and say how many others there are."""
    others = facts.types.value - 1
    kind = group.sample.event_type
    return f"{kind} and {others} more type{'s' if others > 1 else ''}" if others > 0 else kind


def streams_of(group: Group, facts: Facts) -> str:
    """Say how many streams wait; a ``player.*`` event's stream is a player."""
    if not facts.streams.value:
        return EMPTY
    noun = "player" if group.sample.event_type.startswith(PLAYERS) else "stream"
    plural = "" if facts.streams.value == 1 and not facts.streams.more else "s"
    return f"{facts.streams} {noun}{plural}"


def next_of(facts: Facts) -> Cell:
    """Say when one is tried again by itself."""
    if facts.next_retry is not None:
        return soon(facts.next_retry)
    return "waits for somebody" if facts.streams.value else EMPTY


def soon(moment: datetime | None) -> Cell:
    """Return when something is due; what was due a moment ago is due now."""
    return "now" if moment is not None and moment <= datetime.now(UTC) else ago(moment)


def group_url(key: Key, verb: str = "") -> str:
    """Return the address of a group's page, or of one of its levers."""
    hub, fingerprint = key
    parts = [hub, fingerprint or NO_FINGERPRINT, *([verb] if verb else [])]
    return reverse(f"admin:events_deadletter_group{'_lever' if verb else ''}", args=parts)


def fingerprint_in(part: str) -> str:
    """Return the fingerprint that a part of an address stands for."""
    return "" if part == NO_FINGERPRINT else part


def without(hub: str) -> str:
    """Say what it means when a hub never processes an event, in its projections' own words."""
    try:
        words = [each.when_skipped for each in registered(hub).projections if each.when_skipped]
    except UnknownHub:
        words = []
    return " ".join([f"The hub {hub} will never process them, whatever is retried or rebuilt later.", *words])


def progress_of(row: RetryRound) -> dict[str, Any]:
    """Return how far a round is, for the page."""
    done = min(row.total, row.passed + row.failed)
    return {"done": done, "total": row.total, "percent": 100 * done // max(1, row.total), "noun": "letters"}


def list_url(**filters: object) -> str:
    """Return the address of the list."""
    return address_of(DeadLetter, **filters)
