"""The lists of the *Dead letters* screen: the groups, and the letters of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from events.admin.cells import EMPTY, Cell, ago, link, page_of
from events.admin.letter_words import Line, soon
from events.admin.lists import PAGES_MAX, ROWS, asked_id, asked_text, merged
from events.hubs.letters import waiting
from events.hubs.letters.groups import CELLS_MAX, Group, facts, groups, with_stream
from events.log.rows import event_pk
from events.models import DeadLetter, Event, Game, LetterState
from events.models.letters import OPEN

STATES = {
    "": ("something waits", frozenset(OPEN)),
    "waiting": ("waiting", frozenset({LetterState.WAITING})),
    "retrying": ("being retried", frozenset({LetterState.RETRYING})),
    "resolved": ("resolved", frozenset({LetterState.RESOLVED})),
    "skipped": ("skipped", frozenset({LetterState.SKIPPED})),
    "all": ("any", frozenset(LetterState)),
}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AGES = {
    "": ("at any time", None, None),
    "hour": ("within the last hour", HOUR, None),
    "day": ("within the last day", DAY, None),
    "week": ("within the last week", 7 * DAY, None),
    "older-day": ("more than a day ago", None, DAY),
    "older-week": ("more than a week ago", None, 7 * DAY),
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What somebody wants to see; it stands in the address."""

    game: int | None
    hub: str
    state: str  # a key of STATES
    age: str  # a key of AGES
    term: str
    page: int  # from 1

    @classmethod
    def of(cls, request: HttpRequest) -> "Asked":
        """Read it; what makes no sense is left out."""
        state, age = asked_text(request, "state"), asked_text(request, "age")
        return cls(
            game=asked_id(request, "game__id__exact"),
            hub=asked_text(request, "hub"),
            state=state if state in STATES else "",
            age=age if age in AGES else "",
            term=asked_text(request, "q"),
            page=max(1, min(PAGES_MAX, asked_id(request, "p") or 1)),
        )

    @property
    def is_narrow(self) -> bool:
        """Tell whether anything was asked for."""
        return bool(self.game is not None or self.hub or self.state or self.age or self.term)


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of groups."""

    lines: Sequence[Line]
    total: int  # groups that match
    more: bool  # there are groups that were not looked at
    has_next: bool


@dataclass(frozen=True, kw_only=True)
class Told:
    """A letter's line in its group."""

    row: DeadLetter
    waiting: str  # events behind it

    @property
    def url(self) -> str:
        """Return the address of its page."""
        return page_of(self.row)

    @property
    def event(self) -> Cell:
        """Link to the event at which it stands."""
        failed = Event(id=event_pk(self.row.partition_id, self.row.event_offset))
        return link(page_of(failed), f"{self.row.event_type}, version {self.row.version}")

    @property
    def state(self) -> str:
        """Say how it is."""
        return LetterState(self.row.state).label

    @property
    def parked(self) -> Cell:
        """Say since when."""
        return ago(self.row.created)

    @property
    def next(self) -> Cell:
        """Say when it is tried again by itself."""
        if self.row.resolved:
            return EMPTY
        return "in its round" if self.row.round_id else soon(self.row.next_retry)


def page_of_groups(asked: Asked) -> Page:
    """Return the groups that were asked for, 25 at most."""
    found = groups([] if asked.game is None else [asked.game], asked.hub)
    looked_at = sum(len(group.cells) for group in found)
    matching = [group for group in found if _matches(asked, group)]
    if asked.term:
        matching = _searched(asked.term, matching)
    start = (asked.page - 1) * ROWS
    shown = matching[start : start + ROWS]
    told = facts(shown)
    return Page(
        lines=[Line(group=group, facts=told[group.key]) for group in shown],
        total=len(matching),
        more=looked_at >= CELLS_MAX,
        has_next=len(matching) > start + ROWS,
    )


def page_of_letters(group: Group, states: Sequence[LetterState], page: int) -> tuple[list[Told], bool]:
    """Return a page of a group's letters, the newest first, and whether there are more."""
    branches: list[QuerySet[Any]] = [
        DeadLetter.objects.filter(
            hub=group.key[0], fingerprint=group.key[1], game_id=game, state=state
        ).order_by("-id")
        for game in group.games
        for state in states
    ]
    start = (page - 1) * ROWS
    keys = merged(branches, ["-id"], start, start + ROWS + 1)
    found = DeadLetter.objects.defer("traceback").select_related("game").in_bulk(keys)
    rows = [found[key] for key in keys[:ROWS] if key in found]
    behind = waiting.counts([row for row in rows if row.resolved is None])
    return [Told(row=row, waiting=f"{behind[row.pk]:,}" if row.pk in behind else EMPTY) for row in rows], len(
        keys
    ) > ROWS


def _matches(asked: Asked, group: Group) -> bool:
    _, within, beyond = AGES[asked.age]
    passed = datetime.now(UTC) - group.last_seen
    recent = (within is None or passed <= within) and (beyond is None or passed > beyond)
    return recent and bool(STATES[asked.state][1] & group.states)


def _searched(term: str, found: Sequence[Group]) -> list[Group]:
    """Find groups by cause, type of event, fingerprint, or a stream as a whole."""
    games = list(Game.objects.values_list("id", flat=True))
    streams, lowered = with_stream(games, term), term.lower()
    return [
        group
        for group in found
        if group.key in streams
        or group.key[1].startswith(lowered)
        or any(lowered in text.lower() for cell in group.cells for text in _texts(cell.sample, cell.last))
    ]


def _texts(*letters: DeadLetter) -> list[str]:
    return [text for letter in letters for text in (letter.cause, letter.event_type)]
