"""The front page: how Clarion is doing, and what needs somebody."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import JSONField, OuterRef, Subquery
from django.http import HttpRequest

from config.console.pulse import POLL_MS, measure
from events.admin.cells import address_of
from events.lanes import Lane
from events.models import Checkpoint, DeadLetter, Event, OutboxEvent
from notifications.admin.reasons import because
from notifications.admin.wording import changes
from notifications.delivery import standing
from notifications.models import Decision, Delivery, FanOut, Notification, Rule, RuleRevision
from notifications.models.decisions import Outcome
from notifications.models.deliveries import State
from players.models import Gateway

SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class Card:
    """One number of the front page."""

    key: str  # in the pulse
    title: str
    unit: str
    url: str  # the list behind it
    rate: bool = False  # shown as so many a second, with the total below
    most: int = 0  # counted no further; 0 for counted to the end


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Give the front page its first numbers and what happened lately."""
    first = measure()
    return {
        **context,
        "title": "Pulse",
        "pulse": first,
        "poll_ms": POLL_MS,
        "flows": _flows(),
        "stocks": _stocks(),
        "lanes": [(lane.label, address_of(Checkpoint, lane__exact=int(lane))) for lane in Lane],
        "failures": _failures() if request.user.has_perm("notifications.view_decision") else None,
        "revisions": _revisions() if request.user.has_perm("notifications.view_rulerevision") else None,
    }


def environment(_request: HttpRequest) -> list[str]:
    """Name the way Clarion runs, and paint it."""
    return ["services", "danger"] if settings.CLARION_SERVICES else ["embedded", "info"]


def _flows() -> list[Card]:
    return [
        Card(key="events", title="Events", unit="appended a second", url=address_of(Event), rate=True),
        Card(key="decisions", title="Decisions", unit="made a second", url=address_of(Decision), rate=True),
        Card(key="pushes", title="Pushes", unit="sent a second", url=address_of(Notification), rate=True),
        Card(key="sockets", title="Sockets", unit="players' sockets open", url=address_of(Gateway)),
    ]


def _stocks() -> list[Card]:
    return [
        Card(
            key="dead_letters",
            title="Dead letters",
            unit="parked streams",
            url=address_of(DeadLetter),
        ),
        Card(
            key="audiences",
            title="Large audiences",
            unit="being worked off",
            url=address_of(FanOut, finished__isempty=1),
        ),
        Card(key="outbox", title="Outbox", unit="own events waiting", url=address_of(OutboxEvent, waiting=1)),
        Card(
            key="deliveries",
            title="Deliveries",
            unit="waiting for other channels",
            url=address_of(Delivery, state=State.WAITING),
            most=standing.MOST,
        ),
        Card(
            key="deliveries_dead",
            title="Dead deliveries",
            unit="not brought, until staff look",
            url=address_of(Delivery, state=State.DEAD),
            most=standing.MOST,
        ),
    ]


def _failures() -> list[tuple[Decision, str]]:
    """Return the newest failure of each rule, the newest of these first."""
    failed = Decision.objects.filter(rule=OuterRef("pk"), outcome=Outcome.FAILED).order_by("-now", "-id")
    rules = Rule.objects.annotate(failure=Subquery(failed.values("pk")[:1])).exclude(failure=None)
    rows = Decision.objects.filter(pk__in=list(rules.values_list("failure", flat=True)))
    newest = rows.select_related("rule").order_by("-now", "-id")[:SHOWN]
    return [(row, because(row)) for row in newest]


def _revisions() -> list[tuple[RuleRevision, str]]:
    before = RuleRevision.objects.filter(rule=OuterRef("rule"), number=OuterRef("number") - 1)
    rows = (
        RuleRevision.objects.select_related("rule", "author")
        .order_by("-id")
        .annotate(before=Subquery(before.values("definition")[:1], output_field=JSONField()))[:SHOWN]
    )
    return [(row, " ".join(changes(row.before, row.definition))) for row in rows]
