"""The fold of ``player.*`` events into profiles with their history."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import structlog
from django.db.models import Exists, Model, OuterRef
from prometheus_client import Counter

from events.envelope.hazards import text_problem
from events.hubs.projection import AfterCommit, Prepared
from events.log.logged import LoggedEvent
from events.replays.fold import Fold
from players.attributes import Attributes, canonical, merged
from players.forgetting import go_on
from players.known import ensure
from players.locales import normalise_locale
from players.models import Player, Profile, ProfileRevision
from players.zones import normalise_zone

NAME_MAX = 120
ERASED = "player.erased"

log = structlog.get_logger(__name__)
skipped = Counter(
    "clarion_profile_fields_skipped_total", "Fields of player.* events that could not be used.", ["field"]
)


@dataclass(frozen=True, kw_only=True)
class State:
    """A profile between two events."""

    locale: str = ""
    timezone: str = ""
    display_name: str = ""
    attributes: Attributes
    revision: int = 0
    changed: datetime | None = None


NEW = State(attributes={})
FIELDS = ("locale", "timezone", "display_name", "attributes", "revision", "changed")


class Profiles(Fold[State]):
    """A fold: emptied and applied again it is equal, row for row.

    A field that cannot be used (an unknown zone, say) is skipped, counted, and logged by name
    with the event's id: ingestion takes any data, and one bad field must not hold up a
    player's stream.
    """

    name = "profiles"
    types = ("player.",)
    when_skipped = "Profiles never take in what they say, not even when they are rebuilt."
    state = State
    empty_state = NEW
    now = Profile
    past = ProfileRevision

    def prepare(self, events: Sequence[LoggedEvent]) -> Prepared:
        """Find the players, and make those that are new."""
        keys: dict[int, set[str]] = {}
        for event in self._mine(events):
            keys.setdefault(event.game_id, set()).add(event.stream)
        ids = {
            (game_id, key): player_id
            for game_id, wanted in keys.items()
            for key, player_id in ensure(game_id, wanted).items()
        }
        return Prepared(take=len(events), locks=frozenset(ids.values()), state=ids)

    def apply(self, events: Sequence[LoggedEvent], prepared: Prepared) -> AfterCommit | None:
        """Fold the events of each player, in order; what was erased stays so."""
        ids: Mapping[tuple[int, str], int] = prepared.state
        mine = [(ids[event.game_id, event.stream], event) for event in events if self.concerns(event)]
        if mine:
            erased = _erased(player_id for player_id, _ in mine)
            go_on(erased)
            fold([(player_id, event) for player_id, event in mine if player_id not in erased])
        return None

    def _mine(self, events: Sequence[LoggedEvent]) -> Iterator[LoggedEvent]:
        return (event for event in events if event.type.startswith(self.types))

    def owners(self, game_id: int, streams: Collection[str]) -> dict[str, int]:
        """Return the players."""
        return ensure(game_id, streams)

    def barred(self, owner_ids: Collection[int]) -> set[int]:
        """Return those who were erased."""
        return _erased(owner_ids)

    def streams(self, game_id: int, after: str, limit: int) -> list[str]:
        """Return players who have a profile or a history."""
        known = Profile.objects.filter(player=OuterRef("pk"))
        told = ProfileRevision.objects.filter(player=OuterRef("pk"))
        rows = Player.objects.filter(Exists(known) | Exists(told), game_id=game_id, key__gt=after)
        return list(rows.order_by("key").values_list("key", flat=True)[:limit])

    def concerns(self, event: LoggedEvent) -> bool:
        """Count every event about a player but the one that says they were erased."""
        return super().concerns(event) and event.type != ERASED

    def step(self, state: State, event: LoggedEvent) -> State:
        """Return the profile after an event."""
        return folded(state, event)

    def row_now(self, owner_id: int, state: State) -> Profile:
        """Return the profile's row."""
        return Profile(player_id=owner_id, **{name: getattr(state, name) for name in FIELDS})

    def row_past(self, owner_id: int, state: State, event: LoggedEvent) -> ProfileRevision:
        """Return the row of the history."""
        return _revision(owner_id, state, event)

    def state_of(self, past: Model) -> State:
        """Return the profile as a row of the history has it."""
        values = {name: getattr(past, name) for name in FIELDS if name != "changed"}
        values["attributes"] = canonical(values["attributes"])
        return State(**values, changed=getattr(past, "recorded"))  # noqa: B009 - Model has no such column

    def comparable(self, row: Model) -> tuple[Any, ...]:
        """Write numbers in one way, as the fold does before it reads them."""
        return tuple(canonical(each) if isinstance(each, dict) else each for each in super().comparable(row))

    @staticmethod
    def empty(game_id: int) -> None:
        """Forget all profiles of a game, to be folded again."""
        ProfileRevision.objects.filter(player__game_id=game_id).delete()
        Profile.objects.filter(player__game_id=game_id).delete()


def folded(state: State, event: LoggedEvent) -> State:
    """Return the profile after an event: fields given replace, ``null`` empties or removes.

    Pure but for the log line and the count of each field that is skipped.
    """
    changes: dict[str, Any] = {"revision": state.revision + 1, "changed": event.recorded}
    data = _data(event)
    for name, read in READERS.items():
        if name in data:
            try:
                changes[name] = read(data[name], state)
            except (TypeError, ValueError):
                _skip(event, name)
    return replace(state, **changes)


def _data(event: LoggedEvent) -> Mapping[str, Any]:
    if event.data_encoding != "json" or not event.data:
        return {}
    try:
        data = msgspec.json.decode(event.data)
    except (ValueError, RecursionError):
        _skip(event, "data")
        return {}
    return data if isinstance(data, dict) else {}


def _skip(event: LoggedEvent, field: str) -> None:
    """Record it, without the value: that is a player's."""
    skipped.labels(field).inc()
    log.warning("profile.field_skipped", game=event.game_id, event_id=event.event_id, field=field)


def _locale(value: Any, _state: State) -> str:
    text = _text(value)
    return normalise_locale(text) if text else ""


def _zone(value: Any, _state: State) -> str:
    text = _text(value)
    return normalise_zone(text) if text else ""


def _name(value: Any, _state: State) -> str:
    text = _text(value)
    if len(text) > NAME_MAX:
        raise ValueError(f"a name has at most {NAME_MAX} characters, not {len(text)}")
    return text


def _attributes(value: Any, state: State) -> Attributes:
    return merged(state.attributes, value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or text_problem(value):
        raise ValueError("is no text that can be stored")
    return value


READERS: Mapping[str, Callable[[Any, State], Any]] = {
    "locale": _locale,
    "timezone": _zone,
    "display_name": _name,
    "attributes": _attributes,
}


def _erased(player_ids: Iterable[int]) -> set[int]:
    return set(
        Player.objects.filter(id__in=set(player_ids), erased__isnull=False).values_list("id", flat=True)
    )


def fold(mine: Sequence[tuple[int, LoggedEvent]]) -> None:
    """Fold these events, each with its player's id, into what is stored; their rows must be locked."""
    if not mine:
        return
    states = _read({player_id for player_id, _ in mine})
    history = []
    for player_id, event in mine:
        states[player_id] = folded(states.get(player_id, NEW), event)
        history.append(_revision(player_id, states[player_id], event))
    _write(states)
    ProfileRevision.objects.bulk_create(history)


def _read(player_ids: set[int]) -> dict[int, State]:
    rows = Profile.objects.filter(player_id__in=player_ids).values("player_id", *FIELDS)
    return {
        row.pop("player_id"): State(**{**row, "attributes": canonical(row["attributes"])})
        for row in map(dict, rows)
    }


def _revision(player_id: int, state: State, event: LoggedEvent) -> ProfileRevision:
    return ProfileRevision(
        player_id=player_id,
        revision=state.revision,
        event=event.id,
        locale=state.locale,
        timezone=state.timezone,
        display_name=state.display_name,
        attributes=state.attributes,
        recorded=event.recorded,
    )


def _write(states: Mapping[int, State]) -> None:
    Profile.objects.bulk_create(
        [
            Profile(player_id=player_id, **{name: getattr(states[player_id], name) for name in FIELDS})
            for player_id in sorted(states)
        ],
        update_conflicts=True,
        unique_fields=["player"],
        update_fields=list(FIELDS),
    )
