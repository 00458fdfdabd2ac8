"""What this room adds to the pages of the rooms to its right."""

from collections.abc import Iterator

from django.template.loader import render_to_string

from events.admin.cells import Cell, list_of
from events.admin.games import EventTypeAdmin
from events.admin.lists import ROWS
from events.admin.log import EventAdmin
from events.models import Event, EventType
from notifications.admin import reasons
from notifications.admin.decisions import COLOURS
from notifications.engine import EventView, check
from notifications.models import Decision, Notification, Rule
from players.admin.people import PlayerAdmin
from players.models import Player


def add() -> None:
    """Hang everything in."""
    EventAdmin.related = [_decisions_about, _notifications_about]
    EventAdmin.told = [_consequences]
    PlayerAdmin.related = [_decisions_for, _notifications_for]
    EventTypeAdmin.watchers = [_misfits]


def _decisions_about(event: Event) -> Cell:
    return list_of(Decision, "decisions", event__id__exact=event.pk)


def _notifications_about(event: Event) -> Cell:
    return list_of(Notification, "notifications", event__id__exact=event.pk)


def _consequences(event: Event) -> Cell:
    """Tell what each rule decided, for the first players, and why others were silent."""
    rows = list(
        Decision.objects.filter(event_id=event.pk)
        .select_related("rule", "player")
        .order_by("rule_id", "player_key")[: ROWS + 1]
    )
    context = {
        "decisions": [(row, COLOURS[row.outcome], reasons.because(row)) for row in rows[:ROWS]],
        "more": _decisions_about(event) if len(rows) > ROWS else "",
        "silence": list(reasons.silence(event)),
    }
    return render_to_string("admin/console/consequences.html", context)


def _decisions_for(player: Player) -> Cell:
    return list_of(Decision, f"{player.decisions:,} decisions", player__id__exact=player.pk)


def _notifications_for(player: Player) -> Cell:
    return list_of(Notification, f"{player.number:,} notifications", player__id__exact=player.pk)


def _misfits(kind: EventType) -> Iterator[str]:
    """Name the rules that no longer fit a type's sample."""
    if kind.sample is None:
        return
    rules = Rule.objects.filter(game_id=kind.game_id, event_type=kind.name, builtin=False)
    for rule in rules.select_related("revision"):
        if rule.revision is None:
            continue
        view = EventView.sample(kind.name, kind.sample, kind.updated)
        if found := check(rule.revision.definition, view):
            said = "; ".join(f"{field}: {message}" for field, message in found[:3])
            yield f"The rule {rule.slug} does not fit this sample: {said}."
