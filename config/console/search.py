"""The palette (Ctrl + K): a few exact or prefix hits of each kind, each by an index."""

from collections.abc import Iterable, Iterator

from django.db.models import Model
from django.http import HttpRequest
from unfold.dataclasses import SearchResult

from events.admin.cells import page_of
from events.admin.finding import at_place, with_id
from events.admin.lists import asked_text
from events.models import Event, EventType
from events.tenancy import games_of_others
from notifications.admin.delivery_filters import notification_of
from notifications.admin.inbox import found_by
from notifications.models import Delivery, Notification, Rule
from players.admin.people import beginning
from players.models import Player

HITS = 5


def search(request: HttpRequest, _lowered: str) -> list[SearchResult]:
    """Return what somebody may mean. Unfold hands the term on in small letters; ids are not."""
    term = asked_text(request, "s")
    if not term:
        return []
    games = list(games_of_others().values_list("id", flat=True))
    return [
        SearchResult(title=title, description=kind, link=page_of(row), icon=icon)
        for model, kind, icon, rows in _kinds(term, games)
        if request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")
        for title, row in rows
    ]


Rows = Iterable[tuple[str, Model]]


def _kinds(term: str, games: list[int]) -> Iterator[tuple[type[Model], str, str, Rows]]:
    yield Rule, "rule", "rule", _named(Rule.objects.filter(slug__startswith=term)[:HITS])
    yield EventType, "event type", "category", _named(EventType.objects.filter(name__startswith=term)[:HITS])
    players = Player.objects.filter(pk__in=beginning(term, games)[:HITS])
    yield Player, "player", "person", _named(players)
    events = Event.objects.filter(pk__in=[*at_place(term, games), *with_id(term, games)][:HITS])
    yield (
        Event,
        "event",
        "receipt_long",
        ((f"{row.type} {row.event_id}", row) for row in events.only("type", "event_id")),
    )
    rows = Notification.objects.filter(pk__in=found_by(term)).only("title")
    yield Notification, "notification", "notifications", ((row.title, row) for row in rows)

    uid = notification_of(term)
    sent = Delivery.objects.filter(notification_id=str(uid))[:HITS] if uid else Delivery.objects.none()
    yield Delivery, "delivery", "outgoing_mail", ((f"by {row.channel}: {row.state}", row) for row in sent)


def _named(rows: Iterable[Model]) -> Rows:
    return ((str(row), row) for row in rows)
