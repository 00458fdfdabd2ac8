"""One look: every rule that is due, and the alarms that follow. One process at a time looks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import Error

from config.watch import kinds, state
from config.watch.conditions import Condition
from config.watch.kinds import Kind
from config.watch.rules import hubs, machinery, notifications, producers
from events import heartbeats
from events import producers as counting
from events.faults import is_transient

EVERY = timedelta(seconds=5)
TURN = "watch"
HOURLY = "watch.hourly"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Looks for the conditions of its kinds."""

    kinds: Sequence[str]
    look: Callable[[Mapping[str, Kind], datetime], Iterable[Condition]]
    every_s: float = 0.0  # 0: at every look


RULES = (
    Rule(kinds=("lag_urgent", "lag_normal", "lag_bulk", "hub_stalled"), look=hubs.late_or_stalled),
    Rule(kinds=("dead_letters",), look=hubs.dead_letters),
    Rule(kinds=("outbox",), look=hubs.outbox),
    Rule(kinds=("sweeps",), look=machinery.sweeps),
    Rule(kinds=("broker", "redis"), look=machinery.servers),
    Rule(kinds=("refusing",), look=producers.refusing),
    Rule(kinds=("duplicates",), look=producers.duplicates, every_s=15),
    Rule(kinds=("rule_failing",), look=notifications.rules_failing, every_s=15),
    Rule(kinds=("undelivered",), look=notifications.undelivered, every_s=10),
    Rule(kinds=("deliveries", "deliveries_late"), look=notifications.deliveries, every_s=15),
    Rule(kinds=("gateways",), look=notifications.gateways, every_s=10),
    Rule(kinds=("disk",), look=machinery.disk, every_s=60),
    Rule(kinds=("clock",), look=machinery.clock, every_s=60),
)


@dataclass
class Look:
    """What one process remembers between its looks: when each rule was last asked, which ones fail."""

    rules: Sequence[Rule] = RULES
    asked: dict[str, datetime] = field(default_factory=dict)
    failing: dict[str, str] = field(default_factory=dict)

    def take_turn(self, now: datetime) -> bool:
        """Look, if no process has looked within the last five seconds.

        Raises:
            django.db.Error: the database is away.
        """
        counting.flush()
        if not heartbeats.take_turn(TURN, EVERY, now):
            return False
        self.look(now)
        if heartbeats.take_turn(HOURLY, timedelta(hours=1), now):
            state.forget_old(now)
            counting.forget_old(now)
        return True

    def look(self, now: datetime) -> None:
        """Ask every rule that is due, and settle the alarms."""
        in_force = kinds.in_force()
        found: list[Condition] = []
        looked: set[str] = {name for name, kind in in_force.items() if not kind.enabled} | {"watch"}
        for rule in self.rules:
            if self._due(rule, now) and (conditions := self._ask(rule, in_force, now)) is not None:
                looked |= set(rule.kinds)
                found += [each for each in conditions if in_force[each.kind].enabled]
        found += [each for each in self._own() if in_force[each.kind].enabled]
        state.settle(in_force, looked | {"database"}, found, now)

    def _due(self, rule: Rule, now: datetime) -> bool:
        name = rule.kinds[0]
        last = self.asked.get(name)
        if last is not None and timedelta(0) <= now - last < timedelta(seconds=rule.every_s):
            return False
        self.asked[name] = now
        return True

    def _ask(self, rule: Rule, in_force: Mapping[str, Kind], now: datetime) -> list[Condition] | None:
        """Return what a rule finds; None when it cannot tell: its alarms then stay as they are."""
        name = rule.kinds[0]
        if not any(in_force[kind].enabled for kind in rule.kinds):
            return []
        try:
            found = list(rule.look(in_force, now))
        except Exception as error:
            if isinstance(error, Error) and is_transient(error):
                raise
            log.exception("watch.rule_failed", rule=name)
            self.failing[name] = type(error).__name__
            return None
        self.failing.pop(name, None)
        return found

    def _own(self) -> list[Condition]:
        if not self.failing:
            return []
        named = ", ".join(f"{name} ({cause})" for name, cause in sorted(self.failing.items()))
        return [
            Condition(
                kind="watch",
                value=len(self.failing),
                limit=0,
                text=f"The watch cannot look at: {named}. The processes' logs say why (watch.rule_failed).",
                url="/admin/events/alarm/",
            )
        ]
