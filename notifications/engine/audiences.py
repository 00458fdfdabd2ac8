"""Whom a rule addresses: players named in the rule, or found at a path in the event. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from notifications.engine.outcomes import GateResult, Outcome
from notifications.engine.paths import Path, PathMissing
from notifications.engine.texts import type_name
from notifications.engine.views import EventView

PLAYERS_MAX = 10_000  # of one audience
KEY_MAX = 128  # characters of a player's key


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an audience comes to."""

    gate: GateResult
    players: tuple[str, ...] = ()
    rejected: str = ""  # a sentence about entries that are no player's key


@dataclass(frozen=True, kw_only=True)
class NamedPlayers:
    """The players that the rule itself names."""

    players: tuple[str, ...]  # without repeats

    def find(self, event: EventView) -> Found:
        """Return the players."""
        return Found(gate=_passed(size=len(self.players)), players=self.players)


@dataclass(frozen=True, kw_only=True)
class PlayersAt:
    """The players at a path in the event: a key, or an array of keys."""

    path: Path

    def find(self, event: EventView) -> Found:
        """Return the players without repeats, in the event's order."""
        try:
            value = self.path.find(event)
        except PathMissing as missing:
            return self._failed("missing", str(missing), missing=missing.place)
        entries = value if isinstance(value, list) else [value]
        if not entries:
            return Found(gate=self._stopped("empty", Outcome.SUPPRESSED, size=0))
        if len(entries) > PLAYERS_MAX:
            return self._failed(
                "too_many",
                f"{len(entries)} entries, at most {PLAYERS_MAX}",
                size=len(entries),
                limit=PLAYERS_MAX,
            )
        return self._sort_out(entries)

    def _sort_out(self, entries: list[Any]) -> Found:
        faults = Counter(fault for fault in map(fault_of, entries) if fault)
        players = tuple(dict.fromkeys(entry for entry in entries if not fault_of(entry)))
        said = _told(faults)
        if not players:
            return self._failed(
                "no_player", f"{said}, not a player's id", found=dict(faults), size=len(entries)
            )
        rejected = {"rejected": dict(faults)} if faults else {}
        gate = _passed(path=self.path.text, size=len(players), **rejected)
        return Found(gate=gate, players=players, rejected=said)

    def _failed(self, reason: str, error: str, **values: Any) -> Found:
        gate = self._stopped(reason, Outcome.FAILED, error=f"audience: {self.path.text}: {error}", **values)
        return Found(gate=gate)

    def _stopped(self, reason: str, outcome: Outcome, *, error: str = "", **values: Any) -> GateResult:
        values = {"path": self.path.text, **values}
        return GateResult(
            name="audience", passed=False, values=values, reason=reason, outcome=outcome, error=error
        )


Audience = NamedPlayers | PlayersAt


def fault_of(key: object) -> str:
    """Say by its kind why something is no player's key; '' if it is one."""
    if not isinstance(key, str):
        return type_name(key)
    if not key:
        return "empty string"
    if len(key) > KEY_MAX:
        return f"string over {KEY_MAX} characters"
    return "" if _storable(key) else "string with characters that cannot be stored"


def named(players: Iterable[str]) -> NamedPlayers:
    """Return the audience of these players."""
    return NamedPlayers(players=tuple(dict.fromkeys(players)))


def _storable(key: str) -> bool:
    # NUL and lone surrogates are refused with the event, and would stop a whole batch here
    return "\x00" not in key and not any("\ud800" <= letter <= "\udfff" for letter in key)


def _passed(**values: Any) -> GateResult:
    return GateResult(name="audience", passed=True, values=values)


def _told(faults: Counter[str]) -> str:
    return ", ".join(f"{count} x {fault}" for fault, count in faults.items())
