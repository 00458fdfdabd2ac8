"""The port between rebuilding and a fold: one small class, and what every fold does alike."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from django.db.models import AutoField, Model, QuerySet

from events.errors import UnknownFold
from events.hubs.projection import Hub, Projection
from events.hubs.registry import hubs
from events.log.logged import LoggedEvent

S = TypeVar("S")
"""What a fold knows of one stream between two events: a frozen dataclass."""


class Fold(Projection, Generic[S]):
    """A projection of each stream into rows of its own, which a rebuild can make anew from the log.

    Each stream has an owner, the row that its hub locks; the fold's rows name it. ``now`` is
    the table of what is true at present, ``past`` the table of what was true from each event
    on, if the fold keeps history. A fold follows one lane of a stream, or does not care in
    which order several lanes come. ``step`` and ``rows`` must be pure, and ``apply`` must
    write what they say: live and rebuilt rows are compared column by column, ids excepted.
    """

    state: type[S]
    empty_state: S
    now: type[Model]
    past: type[Model] | None = None
    owner: ClassVar[str] = "player_id"
    """The column of both tables that names the owner."""
    place: ClassVar[str] = "revision"
    """The column of ``past`` that counts within an owner; unique there, and rising with the events."""

    def owners(self, game_id: int, streams: Collection[str]) -> dict[str, int]:
        """Return the id of each stream's owner, as the hub's ``lock`` takes it; missing ones are made."""
        raise NotImplementedError

    def barred(self, owner_ids: Collection[int]) -> set[int]:
        """Return the owners who must have no rows, such as erased players. They are locked."""
        return set()

    def streams(self, game_id: int, after: str, limit: int) -> list[str]:
        """Return streams that have rows of this fold, in the database's order, after this one."""
        raise NotImplementedError

    def concerns(self, event: LoggedEvent) -> bool:
        """Tell whether an event changes anything."""
        return self.types is None or event.type.startswith(self.types)

    def step(self, state: S, event: LoggedEvent) -> S:
        """Return the state after an event."""
        raise NotImplementedError

    def row_now(self, owner_id: int, state: S) -> Model:
        """Return the row of ``now`` for a state, unsaved."""
        raise NotImplementedError

    def row_past(self, owner_id: int, state: S, event: LoggedEvent) -> Model:
        """Return the row of ``past`` that an event has made, unsaved; its column ``event`` is the event's id."""
        raise NotImplementedError

    def state_of(self, past: Model) -> S:
        """Return the state that a row of ``past`` holds."""
        raise NotImplementedError

    def comparable(self, row: Model) -> tuple[Any, ...]:
        """Return a row's columns for comparison, its own id left out."""
        fields = [field for field in row._meta.concrete_fields if not isinstance(field, AutoField)]
        return tuple(getattr(row, field.attname) for field in fields)

    # -- what every fold does alike ---------------------------------------------------------------

    def dump(self, state: S) -> str:
        """Return a state as JSON text, for the next step within a long stream."""
        return msgspec.json.encode(state).decode()

    def load(self, text: str) -> S:
        """Return the state that ``dump`` has written."""
        return msgspec.json.decode(text, type=self.state)

    def state_before(self, owner_id: int, event_pk: int) -> S | None:
        """Return the state that history has from before an event; None when it has none."""
        if self.past is None:
            return None
        earlier = self.past_rows(owner_id).filter(event__lt=event_pk)
        newest = earlier.order_by(f"-{self.place}").first()
        return None if newest is None else self.state_of(newest)

    def now_rows(self, owner_id: int) -> QuerySet[Any]:
        """Return what the fold holds of an owner at present."""
        return self.now._default_manager.filter(**{self.owner: owner_id})

    def past_rows(self, owner_id: int) -> QuerySet[Any]:
        """Return what the fold holds of an owner's history."""
        assert self.past is not None
        return self.past._default_manager.filter(**{self.owner: owner_id})

    def mend_now(self, owner_id: int, wanted: Sequence[Model]) -> int:
        """Make an owner's rows of the present what they should be; return how many were not."""
        stored = list(self.now_rows(owner_id))
        differing = _symmetric(self, stored, wanted)
        if differing:
            self.now_rows(owner_id).delete()
            self.now._default_manager.bulk_create(wanted)
        return differing

    def mend_past(self, owner_id: int, wanted: Mapping[int, Model], after: int, through: int | None) -> int:
        """Make the history between two event ids what it should be; return how many rows were not.

        ``wanted`` are rows by event id. Rows that are right are not touched.
        """
        if self.past is None:
            return 0
        stored = self.past_rows(owner_id).filter(event__gt=after)
        rows = list(stored if through is None else stored.filter(event__lte=through))
        right = {row.event for row in rows if _same(self, row, wanted.get(row.event))}
        wrong = [row for row in rows if row.event not in right]
        missing = [row for pk, row in wanted.items() if pk not in right]
        if wrong:
            self.past_rows(owner_id).filter(pk__in=[row.pk for row in wrong]).delete()
        if missing:  # a later row may stand in a place that is theirs; it is wrong, and found to be
            places = [getattr(row, self.place) for row in missing]
            self.past_rows(owner_id).filter(**{f"{self.place}__in": places}).delete()
            self.past._default_manager.bulk_create(missing)
        return len({row.event for row in wrong} | {pk for pk in wanted if pk not in right})


def folds() -> dict[str, tuple[Hub, Fold[Any]]]:
    """Return all folds of all hubs, by name."""
    return {
        projection.name: (hub, projection)
        for hub in hubs()
        for projection in hub.projections
        if isinstance(projection, Fold)
    }


def fold_of(name: str) -> tuple[Hub, Fold[Any]]:
    """Return a fold and its hub.

    Raises:
        UnknownFold: no hub has a fold of this name.
    """
    known = folds()
    if name not in known:
        raise UnknownFold(name, sorted(known))
    return known[name]


def _same(fold: Fold[Any], stored: Model, wanted: Model | None) -> bool:
    return wanted is not None and fold.comparable(stored) == fold.comparable(wanted)


def _symmetric(fold: Fold[Any], stored: Sequence[Model], wanted: Sequence[Model]) -> int:
    """Return how many rows differ: those that are only on one side, a changed one counted once."""
    here, there = [fold.comparable(row) for row in stored], [fold.comparable(row) for row in wanted]
    extra = sum(row not in there for row in here)
    lacking = sum(row not in here for row in there)
    return max(extra, lacking, abs(len(here) - len(there)))
