"""Events that the decisions hub has passed and whose rules were never decided.

Rules are judged again by the engine. It is done only for rules that have not been touched since
before an event was recorded: of others nobody knows which revision was there when the hub came by.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from events.log.logged import LoggedEvent
from events.log.read import many
from events.log.rows import event_pk
from events.models import Checkpoint, DeadLetter, Event, Partition, Skip
from events.snapshots import snapshot
from notifications import rulebook
from notifications.decisions.projection import is_large
from notifications.decisions.views import event_view
from notifications.decisions.writing import Key, decided
from notifications.engine import CompiledRule, RuleInvalid, audience
from notifications.hubs import DECISIONS
from notifications.models import FanOut, Rule
from notifications.retention.sweeps import decisions_complete_from

SETTLED = timedelta(seconds=rulebook.CACHE_S + 4)
"""So long after a change every process has the rule as it is."""
PAGE = 500

_Steady = dict[str, list[tuple[datetime, CompiledRule]]]


def undecided(partition_id: int) -> Iterator[str]:
    """Yield each (event, rule) of a partition that should have been decided about somebody and was not."""
    partition = Partition.objects.get(id=partition_id)
    rules, after = _steady(partition.game_id), event_pk(partition_id, 0)
    while rules:
        with snapshot():
            page = _passed(partition_id, tuple(rules), after)
            kept = decisions_complete_from(partition.game_id)
            events = [event for event in many(page) if kept is None or event.recorded >= kept]
            missing = list(_missing(events, rules))
        yield from (f"partition {partition}: {finding}" for finding in missing)
        if len(page) < PAGE:
            return
        after = page[-1]


def _steady(game_id: int) -> _Steady:
    """Return the enabled rules by type of event, each with the time from which on it was as it is."""
    found: _Steady = {}
    for rule in Rule.objects.filter(
        game_id=game_id, enabled=True, builtin=False, revision__isnull=False
    ).select_related("revision"):
        assert rule.revision is not None
        since = max(rule.updated, rule.revision.created) + SETTLED
        try:
            usable = rulebook.compiled(rule.revision)
        except RuleInvalid:
            continue
        found.setdefault(usable.event_type, []).append((since, usable))
    return found


def _passed(partition_id: int, types: Sequence[str], after: int) -> list[int]:
    """Return the next events of these types that the hub has passed; parked, skipped and emptied ones are left out."""
    passed = Q()
    for lane, position in Checkpoint.objects.filter(
        hub=DECISIONS.name, partition_id=partition_id
    ).values_list("lane", "position"):
        passed |= Q(lane=lane, id__lte=event_pk(partition_id, position))
    if not passed:
        return []
    parked = DeadLetter.objects.filter(hub=DECISIONS.name, partition_id=partition_id, resolved=None).values(
        "stream"
    )
    last = event_pk(partition_id + 1, 0)
    found = Event.objects.filter(passed, id__gt=after, id__lt=last, type__in=types, salt__isnull=False)
    skipped = Skip.objects.filter(
        hub=DECISIONS.name, partition_id=partition_id, stream=OuterRef("stream"), lane=OuterRef("lane"),
        first__lte=OuterRef("version"), last__gte=OuterRef("version"),
    )  # fmt: skip
    found = found.exclude(stream__in=parked).exclude(Exists(skipped))
    return list(found.order_by("id").values_list("id", flat=True)[:PAGE])


def _missing(events: Sequence[LoggedEvent], rules: _Steady) -> Iterator[str]:
    known = decided(event.id for event in events)
    large = set(
        FanOut.objects.filter(event_id__in=[event.id for event in events]).values_list(
            "event_id", "revision__rule_id"
        )
    )
    for event in events:
        for since, rule in rules[event.type]:
            if event.recorded > since and (event.id, rule.rule_id) not in large:
                yield from _of(event, rule, known)


def _of(event: LoggedEvent, rule: CompiledRule, known: frozenset[Key]) -> Iterator[str]:
    found = audience(rule, event_view(event), datetime.now(UTC))
    name = f"event at offset {event.offset}: rule {rule.rule_id}"
    if is_large(found):
        yield f"{name} was never decided about its audience of {len(found.players)} players"
        return
    left = [key for key in found.players if (event.id, rule.rule_id, key) not in known]
    if left:
        yield f"{name} was never decided about {len(left)} of {len(found.players)} players"
