"""What is wrong at the moment, in plain words, each with the list behind it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Subquery

from events import pressure
from events.admin.cells import address_of, page_of
from events.breakers import BROKER, RATE_LIMITS, REDIS, Breaker
from events.hubs.ageing import LIMIT_S
from events.lanes import Lane
from events.models import Alarm, Checkpoint, DeadLetter, OutboxEvent
from events.pressure import Refusal
from notifications.models import Decision, Rule
from notifications.models.decisions import Outcome

LATE = 5
"""A lane is late when its oldest event waits this many times longer than anybody should let it."""
LATELY = timedelta(minutes=10)
ALARMS_MAX = 10
TOLD_BELOW = (
    "broker", "redis", "refusing", "lag_urgent", "lag_normal", "lag_bulk", "dead_letters", "outbox", "rule_failing",
)  # fmt: skip
"""Kinds of alarms whose condition has a sentence of its own here, from its first moment on."""
OUTBOX_LATE = timedelta(seconds=15)

GOES_ON = {
    BROKER: (
        "The broker is",
        "Appends and pushes go on: each lane is drained once its work has waited for the lane's limit"
        " (0.2 s, 1 s, 5 s). Campaigns, e-mail and webhooks wait.",
    ),
    REDIS: ("Redis is", "No socket is closed. Pushes take about a second instead of milliseconds."),
    RATE_LIMITS: (
        "Redis is too slow for rate limits, or",
        "Each process counts for itself: a key may send its limit to each of them.",
    ),
}
"""Of each dependency without which Clarion goes on: its name in a sentence, what goes on and what is delayed."""

BLOCKED = "It takes nothing: its own alarm for memory or disk is on."

Warning_ = dict[str, str]
"""``text`` and ``url``."""


def warnings(now: datetime, lag: Mapping[Lane, float], numbers: Mapping[str, int]) -> list[Warning_]:
    """Return a sentence for each condition while it lasts."""
    return [
        *_alarms(),
        *_dependencies(),
        *_refused(now, pressure.standing()),
        *_lanes(lag),
        *_parked(numbers["dead_letters"]),
        *_outbox(now),
        *_rules(now),
    ]


def _alarms() -> Iterator[Warning_]:
    """Tell the alarms that no sentence below tells sooner."""
    rows = Alarm.objects.filter(ended=None).exclude(opened=None).exclude(kind__in=TOLD_BELOW)
    for row in rows.order_by("severity", "since")[:ALARMS_MAX]:
        taken = f" {row.acknowledged_by} takes care of it." if row.acknowledged else ""
        yield _warning(f"{row.text}{taken}", page_of(row))


def _dependencies() -> Iterator[Warning_]:
    """Tell what is away. The database is not among them: without it there is no page to tell it on."""
    if not settings.CLARION_SERVICES:
        return
    for breaker in GOES_ON:
        if not breaker.is_closed and not (breaker is RATE_LIMITS and not REDIS.is_closed):
            yield _warning(_away(breaker), "/readyz")


def _away(breaker: Breaker) -> str:
    who, goes_on = GOES_ON[breaker]
    status = breaker.status()
    since = f" since {status.since:%H:%M:%S} UTC" if status.since else ""
    why = BLOCKED if status.why == "blocked" else "It does not answer; it is asked again every few seconds."
    return f"{who} away{since}. {why} {goes_on}"


def _refused(now: datetime, refusals: Iterable[Refusal]) -> Iterator[Warning_]:
    """Say for each game which lanes are refused; the most urgent one's numbers tell how bad it is."""
    games: dict[str, list[Refusal]] = {}
    for refusal in sorted(refusals, key=lambda each: each.lane):
        games.setdefault(refusal.game, []).append(refusal)
    for game, found in games.items():
        worst = found[0]
        lanes = " and ".join(each.lane.label for each in reversed(found))
        yield _warning(
            f"{lanes.capitalize()} events of {game} are refused since {_ago(now - min(e.since for e in found))}:"
            f" the hub {worst.hub} has {worst.events:,} events to work off, the oldest waits for"
            f" {worst.oldest_s:.0f} s.",
            address_of(Checkpoint, hub=worst.hub, partition__game__id__exact=worst.game_id),
        )


def _lanes(lag: Mapping[Lane, float]) -> Iterator[Warning_]:
    for lane, seconds in lag.items():
        if seconds > LATE * LIMIT_S[lane]:
            yield _warning(
                f"The {lane.label} lane is late: its oldest event waits for {seconds:.1f} s.",
                address_of(Checkpoint, lane__exact=int(lane)),
            )
    if paused := Checkpoint.objects.filter(paused=True).count():
        yield _warning(
            f"{paused} checkpoint{'s are' if paused > 1 else ' is'} paused: events wait there.",
            address_of(Checkpoint, paused__exact=1),
        )


def _parked(count: int) -> Iterator[Warning_]:
    if count:
        said = "streams are parked: their events wait" if count > 1 else "stream is parked: its events wait"
        yield _warning(f"{count} {said} until somebody looks.", address_of(DeadLetter))


def _outbox(now: datetime) -> Iterator[Warning_]:
    oldest = (
        OutboxEvent.objects.filter(appended=None).order_by("id").values_list("created", flat=True).first()
    )
    if oldest and now - oldest > OUTBOX_LATE:
        yield _warning(
            f"Clarion's own events wait for the log since {(now - oldest).total_seconds():.0f} s.",
            address_of(OutboxEvent, waiting=1),
        )


def _rules(now: datetime) -> Iterator[Warning_]:
    failed = Decision.objects.filter(rule=OuterRef("pk"), outcome=Outcome.FAILED).order_by("-now", "-id")
    rules = Rule.objects.annotate(failed=Subquery(failed.values("now")[:1])).filter(failed__gt=now - LATELY)
    for rule in rules.order_by("slug"):
        yield _warning(
            f"The rule {rule.slug} fails on events: the last time {_ago(now - rule.failed)} ago.",
            address_of(Decision, rule__id__exact=rule.pk, outcome=Outcome.FAILED),
        )


def _ago(passed: timedelta) -> str:
    seconds = max(0, int(passed.total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"  # noqa: PLR2004 - two minutes


def _warning(text: str, url: Any) -> Warning_:
    return {"text": text, "url": str(url)}
