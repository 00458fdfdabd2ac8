"""Dead letters by fingerprint, read by steps through an index: however many wait, it costs about the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from events.models import DeadLetter, LetterState
from events.models.letters import OPEN

CELLS_MAX = 1_000
"""Parts (a hub, fingerprint and game each) that are looked at."""
COUNT_MAX = 10_000
"""So far letters of a part and state are counted; beyond that they are "more than"."""

Key = tuple[str, str]
"""Hub and fingerprint."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """How many: exactly, or more than that."""

    value: int
    more: bool = False

    def __add__(self, other: "Number") -> "Number":
        """Add; what is not known exactly stays so."""
        return Number(value=self.value + other.value, more=self.more or other.more)

    def __str__(self) -> str:
        return f"more than {self.value:,}" if self.more else f"{self.value:,}"


NONE = Number(value=0)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The letters with one fingerprint in one game."""

    sample: DeadLetter  # one that waits, if any does
    last: DeadLetter  # that has failed last
    states: frozenset[LetterState]  # that some of them are in

    @property
    def key(self) -> Key:
        """Return hub and fingerprint."""
        return self.sample.hub, self.sample.fingerprint


@dataclass(frozen=True, kw_only=True)
class Group:
    """All letters with one fingerprint, in the games that were asked for."""

    cells: Sequence[Cell]

    @property
    def key(self) -> Key:
        """Return hub and fingerprint."""
        return self.cells[0].key

    @property
    def games(self) -> list[int]:
        """Return the ids of its games."""
        return [cell.sample.game_id for cell in self.cells]

    @property
    def sample(self) -> DeadLetter:
        """Return a letter, one that waits if any does."""
        return min((cell.sample for cell in self.cells), key=lambda each: (each.state, each.pk))

    @property
    def last_seen(self) -> datetime:
        """Return when one of them failed last."""
        return max(cell.last.last_failed for cell in self.cells)

    @property
    def states(self) -> frozenset[LetterState]:
        """Return the states that some of them are in."""
        return frozenset().union(*(cell.states for cell in self.cells))

    @property
    def is_open(self) -> bool:
        """Tell whether any waits."""
        return any(state in self.states for state in OPEN)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a group's line says."""

    counts: dict[LetterState, Number]
    streams: Number  # that wait
    types: Number  # of the events at which these stand
    first_seen: datetime
    next_retry: datetime | None  # by itself


def groups(games: Iterable[int] = (), hub: str = "") -> list[Group]:
    """Return the groups of these games (none are all), those in which something waits first, then by last failure.

    At most ``CELLS_MAX`` parts are looked at; who may have more asks for one hub.
    """
    wanted = set(games)
    found: dict[Key, list[Cell]] = {}
    for cell in _cells(hub):
        if not wanted or cell.sample.game_id in wanted:
            found.setdefault(cell.key, []).append(cell)
    return sorted(
        (Group(cells=cells) for cells in found.values()),
        key=lambda group: (group.is_open, group.last_seen),
        reverse=True,
    )


def group_of(key: Key) -> Group | None:
    """Return one group in all its games; None when it has no letter any more."""
    cells = _cells(key[0], key[1])
    return Group(cells=cells) if cells else None


def with_stream(games: Sequence[int], stream: str) -> set[Key]:
    """Return the groups of the letters of a stream."""
    rows = DeadLetter.objects.filter(game_id__in=games, stream=stream)
    return set(rows.order_by().values_list("hub", "fingerprint").distinct())


_ORDER = "ORDER BY d.hub, d.fingerprint, d.game_id, d.state, d.id LIMIT 1"
_SAME = "d.hub = l.hub AND d.fingerprint = l.fingerprint AND d.game_id = l.game_id"


def _cells(hub: str = "", fingerprint: str | None = None) -> list[Cell]:
    """Step from part to part; the first letter of each is one that waits, if any does."""
    within, values = ("d.hub = %s", [hub]) if hub else ("TRUE", [])
    if fingerprint is not None:
        within, values = f"{within} AND d.fingerprint = %s", [*values, fingerprint]
    states = ", ".join(
        f"EXISTS(SELECT 1 FROM events_deadletter d WHERE {_SAME} AND d.state = {int(state)})"  # noqa: S608 - ours
        for state in LetterState
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE steps(id, n) AS ("  # noqa: S608 - ours; values are bound
            f"SELECT (SELECT d.id FROM events_deadletter d WHERE {within} {_ORDER}), 1 UNION ALL "
            f"SELECT (SELECT d.id FROM events_deadletter d WHERE {within} AND (d.hub, d.fingerprint, d.game_id)"
            f" > (l.hub, l.fingerprint, l.game_id) {_ORDER}), n + 1"
            " FROM steps JOIN events_deadletter l ON l.id = steps.id WHERE n < %s)"
            " SELECT l.id, (SELECT d.id FROM events_deadletter d"
            f" WHERE {_SAME} ORDER BY d.last_failed DESC LIMIT 1), {states}"
            " FROM steps JOIN events_deadletter l ON l.id = steps.id",
            [*values, *values, CELLS_MAX],
        )
        rows = cursor.fetchall()
    letters = _letters(pk for row in rows for pk in row[:2])
    return [
        Cell(
            sample=letters[row[0]],
            last=letters[row[1]],
            states=frozenset(state for state, there in zip(LetterState, row[2:], strict=True) if there),
        )
        for row in rows
        if row[0] in letters and row[1] in letters  # else retention was quicker
    ]


def facts(shown: Sequence[Group]) -> dict[Key, Facts]:
    """Return what is to be told of these groups, by one statement and one look at the letters that it names.

    Their samples then have their tracebacks, too.
    """
    cells = [cell for group in shown for cell in group.cells]
    if not cells:
        return {}
    asked = ", ".join(["(%s, %s, %s)"] * len(cells))
    columns = [*(_counted(state) for state in LetterState), *(_first(state) for state in LetterState)]
    columns += [_next(), _distinct("stream"), _distinct("event_type")]
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH l(hub, fingerprint, game_id) AS (VALUES {asked}) SELECT {', '.join(columns)}, l.* FROM l",  # noqa: S608 - as above
            [part for cell in cells for part in (*cell.key, cell.sample.game_id)],
        )
        rows = {row[11:]: row for row in cursor.fetchall()}
    letters = _letters(pk for row in rows.values() for pk in row[4:9] if pk)
    _read_tracebacks([group.sample for group in shown])
    return {group.key: _facts([rows[*group.key, game] for game in group.games], letters) for group in shown}


def _facts(rows: Sequence[Sequence[int]], letters: dict[int, DeadLetter]) -> Facts:
    firsts = [letters[pk].created for row in rows for pk in row[4:8] if pk in letters]
    nexts = [letters[row[8]].next_retry for row in rows if row[8] in letters]
    return Facts(
        counts={state: sum((_number(row[int(state)]) for row in rows), NONE) for state in LetterState},
        streams=sum((_number(row[9]) for row in rows), NONE),
        types=_number(max(row[10] for row in rows)),
        first_seen=min(firsts),
        next_retry=min((moment for moment in nexts if moment), default=None),
    )


def _counted(state: LetterState) -> str:
    return (
        f"(SELECT count(*) FROM (SELECT 1 FROM events_deadletter d WHERE {_SAME} AND d.state = {int(state)}"  # noqa: S608 - ours
        f" LIMIT {COUNT_MAX + 1}) counted)"
    )


def _first(state: LetterState) -> str:
    return f"(SELECT d.id FROM events_deadletter d WHERE {_SAME} AND d.state = {int(state)} ORDER BY d.id LIMIT 1)"  # noqa: S608 - ours


def _next() -> str:
    return (
        f"(SELECT d.id FROM events_deadletter d WHERE {_SAME} AND d.resolved IS NULL"  # noqa: S608 - ours
        " AND d.next_retry IS NOT NULL ORDER BY d.next_retry LIMIT 1)"
    )


def _distinct(column: str) -> str:
    return (
        f"(SELECT count(DISTINCT {column}) FROM (SELECT d.{column} FROM events_deadletter d WHERE {_SAME}"  # noqa: S608 - ours
        f" AND d.resolved IS NULL LIMIT {COUNT_MAX + 1}) counted)"
    )


def _number(value: int) -> Number:
    return Number(value=min(value, COUNT_MAX), more=value > COUNT_MAX)


def _read_tracebacks(letters: Sequence[DeadLetter]) -> None:
    """Read what was left out, at once: one by one it would be a statement for each line."""
    rows = DeadLetter.objects.filter(pk__in=[letter.pk for letter in letters])
    found = dict(rows.values_list("pk", "traceback"))
    for letter in letters:
        letter.traceback = found.get(letter.pk, "")


def _letters(ids: Iterable[int]) -> dict[int, DeadLetter]:
    return DeadLetter.objects.defer("traceback").select_related("game").in_bulk(set(ids) - {None})
