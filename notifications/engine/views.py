"""What the engine is told: an event, a player, and what is known about the player's past. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import cel

from notifications.engine.texts import rfc3339

EVENT_NAMES = ("id", "source", "type", "subject", "stream", "version", "time")
PLAYER_NAMES = ("key", "display_name", "locale", "timezone", "attributes")


@dataclass(frozen=True, kw_only=True, eq=False)
class EventView:
    """An event as rules see it.

    Make one per event, use it for every rule and player, and in one thread at a time: it
    keeps what CEL and Liquid need of it, so that it is converted once. ``repr`` leaves
    the data out, because it may end in a log.
    """

    id: str  # the CloudEvents id
    source: str
    type: str
    subject: str = ""
    stream: str = ""
    version: int = 0  # place in its stream, from 1
    time: datetime | None = None  # when it happened, by the game's clock; UTC
    recorded: datetime  # when it was appended, by Clarion's clock; UTC
    expires: datetime | None = None  # the attribute expirytime; UTC
    data: Any = field(default=None, repr=False)  # parsed JSON of any kind
    lane: int = 1  # 0 urgent, 1 normal, 2 bulk

    @classmethod
    def sample(cls, type: str, data: Any, now: datetime) -> "EventView":
        """Return an event that never happened, for checks and previews of a rule."""
        return cls(
            id="sample", source="/sample", type=type, subject="sample", stream="sample", version=1,
            time=now, recorded=now, data=data,
        )  # fmt: skip

    @property
    def happened(self) -> datetime:
        """When it happened, but not after it was recorded: a game's clock may run ahead."""
        return self.recorded if self.time is None else min(self.time, self.recorded)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The variable ``event`` of conditions: ``EVENT_NAMES``, the time as a timestamp."""
        facts = {name: getattr(self, name) for name in EVENT_NAMES}
        return facts | {"subject": self.subject or "", "time": self.happened.astimezone(UTC)}

    @cached_property
    def words(self) -> dict[str, Any]:
        """The variable ``event`` of templates: as ``facts``, the time as text."""
        return self.facts | {"time": rfc3339(self.happened)}

    @cached_property
    def cel_context(self) -> cel.Context:
        """The variables of a condition, converted once. Raises what cel raises on odd data."""
        return cel.Context(variables={"event": self.facts, "data": self.data})

    @cached_property
    def weight(self) -> tuple[int, int]:
        """(entries of the largest array or object, size of everything in array entries)."""
        return _weigh(self.data)


@dataclass(frozen=True, kw_only=True, eq=False)
class PlayerView:
    """A player as rules see them. ``repr`` shows the key only."""

    key: str
    locale: str = field(default="", repr=False)  # normalised BCP 47, or ''
    timezone: str = field(default="", repr=False)  # IANA name, or ''
    display_name: str = field(default="", repr=False)
    attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    profile_revision: int = field(default=0, repr=False)
    erased: bool = field(default=False, repr=False)  # has a tombstone: hears nothing, ever

    @cached_property
    def words(self) -> dict[str, Any]:
        """The variable ``player`` of templates."""
        return {name: getattr(self, name) for name in PLAYER_NAMES}


@dataclass(frozen=True, kw_only=True)
class PlayerState:
    """What is known of a player's past and wishes, read under the player's lock.

    Empty until a gate needs more: consent, counters of caps, open digests become fields
    with defaults here, so that callers that know nothing of them stay valid.
    """


_TEXT_PER_ENTRY = 100  # characters that cost CEL about as much as one array entry


def _weigh(data: object) -> tuple[int, int]:
    largest, total, waiting = 0, 1, [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            total += len(value) // _TEXT_PER_ENTRY
        elif isinstance(value, (list, dict)):
            largest = max(largest, len(value))
            total += len(value)
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return largest, total
