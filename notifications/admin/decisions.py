"""Every decision, with its reasons."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from events.admin.cells import EMPTY, Cell, ago, at, link_to, list_of
from events.admin.filters import Until
from events.admin.lists import LargeTable, ReadOnlyAdmin, asked_games, asked_id, asked_text
from events.tenancy import games_of_others
from notifications.admin import reasons
from notifications.models import Decision, Notification, Rule
from notifications.models.decisions import Outcome
from players.models import Player

COLOURS = {
    "sent": "success",
    "suppressed": "info",
    "deferred": "info",
    "digested": "info",
    "failed": "danger",
}
LISTED = (
    "game_id", "now", "outcome", "gates", "place", "player_key", "notification_uid", "profile_revision", "rule__slug",
    "revision__number", "event__type", "player__key", "replay_id",
)  # fmt: skip


class Chosen(DropdownFilter):
    """A choice that the branches follow: each kind of choice has an index of its own."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Leave it to the branches."""
        return queryset


class GameChosen(Chosen):
    """By game."""

    title = "game"
    parameter_name = "game__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer all games but Clarion's own."""
        return [(str(pk), slug) for pk, slug in games_of_others().values_list("id", "slug")]


class RuleChosen(Chosen):
    """By rule."""

    title = "rule"
    parameter_name = "rule__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the rules of the chosen game, or of all."""
        rules = Rule.objects.filter(game_id__in=asked_games(request)).order_by("game__slug", "slug")
        return [
            (str(pk), f"{game} / {slug}") for pk, game, slug in rules.values_list("id", "game__slug", "slug")
        ]


class OutcomeChosen(Chosen):
    """By outcome."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer all outcomes."""
        return list(Outcome.choices)


class DecidedUntil(Until):
    """From a time backwards."""

    field = "now"


@admin.register(Decision)
class DecisionAdmin(LargeTable, ReadOnlyAdmin):
    """One rule, one event, one player: what came of it, and why."""

    list_display = ("decided", "outcome_label", "by_rule", "about_event", "of_player", "because")
    list_display_links = ("decided",)
    list_filter = (GameChosen, RuleChosen, OutcomeChosen, DecidedUntil)
    ordering = ("-now", "-id")
    lookups = frozenset({
        "game__id__exact", "rule__id__exact", "outcome", "until", "player__id__exact", "event__id__exact",
        "replay__id__exact",
    })  # fmt: skip
    search_fields = ("player_key",)
    search_help_text = "a player's whole id, or the id of a notification"
    fieldsets = (
        (None, {"fields": ("outcome_label", "why")}),
        (
            "About",
            {
                "fields": (
                    "by_rule",
                    "of_revision",
                    "about_event",
                    "of_player",
                    "got",
                    "decided_at",
                    "place",
                    "profile",
                    "late",
                )
            },
        ),
    )
    empty_hint = "Decisions appear here when an event meets a rule whose condition is true."

    def get_readonly_fields(self, request: HttpRequest, obj: Decision | None = None) -> list[str]:
        """Decisions are never edited."""
        return [name for _, part in self.fieldsets for name in part["fields"]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Decision]:
        """Read with a decision only what lists show of the rows around it."""
        rows: QuerySet[Decision] = super().get_queryset(request)
        return rows.select_related("rule", "revision", "event", "player").only(*LISTED)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Decision], search_term: str
    ) -> tuple[QuerySet[Decision], bool]:
        """Leave the search to the branches."""
        return queryset, False

    def branches(self, request: HttpRequest, found: QuerySet[Any]) -> list[QuerySet[Any]]:
        """Follow the index of what is asked for: a notification, a player, an event, rules, or only time."""
        games = asked_games(request)
        if term := asked_text(request, "q"):
            return [_limited(each, request) for each in _found(term, games, found)]
        if (event := asked_id(request, "event__id__exact")) is not None:
            return [_limited(found.filter(event_id=event).order_by("rule_id", "player_key"), request)]
        if (player := asked_id(request, "player__id__exact")) is not None:
            return [_limited(found.filter(player_id=player).order_by("-place"), request)]
        if (replay := asked_id(request, "replay__id__exact")) is not None:
            return [_limited(found.filter(replay_id=replay), request)]
        rule, outcome = asked_id(request, "rule__id__exact"), _outcome(request)
        if rule is None and outcome is None:
            return [found.filter(game_id=game) for game in games]
        rules = _rules(games) if rule is None else [rule]
        outcomes = Outcome.values if outcome is None else [outcome]
        return [found.filter(rule_id=rule, outcome=outcome) for rule in rules for outcome in outcomes]

    @display(description="decided")
    def decided(self, obj: Decision) -> Cell:
        """Say when."""
        return ago(obj.now)

    @display(description="decided")
    def decided_at(self, obj: Decision) -> Cell:
        """Say when, exactly: gates compared with this time."""
        return at(obj.now)

    @display(description="outcome", label=COLOURS)
    def outcome_label(self, obj: Decision) -> str:
        """Name what it came to."""
        return obj.outcome

    @display(description="rule")
    def by_rule(self, obj: Decision) -> Cell:
        """Link to the rule as it is now."""
        return link_to(obj.rule)

    @display(description="as it was at")
    def of_revision(self, obj: Decision) -> Cell:
        """Link to the rule as it was."""
        return link_to(obj.revision, f"revision {obj.revision.number}")

    @display(description="event")
    def about_event(self, obj: Decision) -> Cell:
        """Link to the event."""
        return link_to(obj.event, obj.event.type)

    @display(description="player")
    def of_player(self, obj: Decision) -> Cell:
        """Link to the player."""
        return link_to(obj.player, obj.player_key) if obj.player else EMPTY

    @display(description="because")
    def because(self, obj: Decision) -> Cell:
        """Say what stopped it, or link to what the player got."""
        return self.got(obj) if obj.notification_uid else reasons.because(obj) or EMPTY

    @display(description="what they got")
    def got(self, obj: Decision) -> Cell:
        """Link to the notification."""
        if obj.notification_uid is None:
            return EMPTY
        return list_of(Notification, "the notification", q=obj.notification_uid)

    @display(description="profile")
    def profile(self, obj: Decision) -> str:
        """Say with which state of the profile it was decided."""
        return f"revision {obj.profile_revision}" if obj.profile_revision else "none yet"

    @display(description="made late")
    def late(self, obj: Decision) -> Cell:
        """Link to the replay that has decided it; live's decisions have none."""
        return link_to(obj.replay, f"by replay {obj.replay_id}") if obj.replay else EMPTY

    @display(description="why")
    def why(self, obj: Decision) -> Cell:
        """Explain each gate, and show the values that the condition met."""
        event = reasons.view_of(obj.event_id)
        context = {
            "ending": reasons.ending(obj),
            "steps": reasons.of_decision(obj, event),
            "erased": event is None,
        }
        return render_to_string("admin/console/reasons.html", context)


def _found(term: str, games: list[int], found: QuerySet[Any]) -> list[QuerySet[Any]]:
    """Return the decision that made a notification, or those about players of this id."""
    try:
        row = Notification.objects.select_related("player").filter(uid=UUID(term)).first()
    except ValueError:
        row = None
    if row is not None:
        keys = {"event_id": row.event_id, "rule_id": row.rule_id, "player_key": row.player.key}
        return [found.filter(**keys)]
    players = Player.objects.filter(game_id__in=games, key=term).values_list("id", flat=True)
    return [found.filter(player_id=player).order_by("-place") for player in players]


def _rules(games: list[int]) -> list[int]:
    return list(Rule.objects.filter(game_id__in=games).values_list("id", flat=True))


def _outcome(request: HttpRequest) -> str | None:
    asked = request.GET.get("outcome")
    return asked if asked in Outcome.values else None


def _limited(rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
    """Apply the other choices to rows that one player or one event has: few, whatever the table holds."""
    for name, column in (("game__id__exact", "game_id"), ("rule__id__exact", "rule_id")):
        if (chosen := asked_id(request, name)) is not None:
            rows = rows.filter(**{column: chosen})
    outcome = _outcome(request)
    return rows if outcome is None else rows.filter(outcome=outcome)
