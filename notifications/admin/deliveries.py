"""Deliveries by other channels: where each stands, what its tries came to, sending again and giving up."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from unfold.decorators import action, display

from events.admin.cells import EMPTY, Cell, ago, at, beside, link, link_to, list_of, mono
from events.admin.confirming import Lever, ask, ask_about_one
from events.admin.lists import LargeTable, ReadOnlyAdmin
from notifications.admin import delivery_filters, delivery_groups, outlets
from notifications.admin.advice import advice, answer
from notifications.admin.decisions import GameChosen
from notifications.admin.tries import tries_of
from notifications.delivery import operating
from notifications.models import Delivery, Notification, Outlet, WebhookEndpoint
from notifications.models.deliveries import State

COLOURS = {
    "waiting": "warning",
    "sending": "primary",
    "sent": "success",
    "dead": "danger",
    "cancelled": "info",
}
NOUN = ("delivery", "deliveries")
AGAIN = Lever(
    verb="Send again",
    done="Sent again",
    noun=NOUN,
    warning="It begins anew with its schedule, under the same id: a receiver that has taken it before knows it by"
    " that. What the player has read meanwhile is not sent.",
    pull=operating.retry,
    unchanged="was not dead.",
)
GIVE_UP = Lever(
    verb="Give up",
    done="Gave up",
    noun=NOUN,
    warning="Nobody tries any more. The notification stays in the player's inbox; only this channel does not bring"
    " it. What is just being sent is left alone.",
    pull=operating.cancel,
    unchanged="had ended, or was just being sent.",
)


@admin.register(Delivery)
class DeliveryAdmin(LargeTable, ReadOnlyAdmin):
    """One notification by one channel."""

    list_display = (
        "title", "state_label", "channel", "in_game", "of_player", "by_rule", "tries", "next_try", "last_answer",
    )  # fmt: skip
    list_display_links = ("title",)
    list_filter = (
        GameChosen, delivery_filters.StateChosen, delivery_filters.ChannelChosen, delivery_filters.FaultChosen,
    )  # fmt: skip
    list_before_template = "admin/console/faults.html"
    ordering = ("-id",)
    lookups = frozenset({"game__id__exact", "state", "channel", "error"})
    search_fields = ("notification__uid",)
    search_help_text = "the id of a notification or delivery, or a player's whole id"
    fieldsets = (
        (None, {"fields": ("state_label", "last_answer", "what_to_do", "see_also")}),
        ("Tries", {"fields": ("each_try", "next_try_at", "until_when", "other_side")}),
        ("What is brought", {"fields": ("about", "of_player", "by_rule", "in_game", "channel")}),
        ("Fine print", {"fields": ("same_id", "created_at", "finished_at")}),
    )
    actions = ("send_again", "give_up")
    actions_detail = ("send_again_this", "send_alike_again", "give_up_this")
    history = True
    empty_hint = (
        "A rule or a direct post that names a channel, such as webhook, has its notifications brought by that as"
        " well: each of them appears here."
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Delivery | None = None) -> list[str]:
        """Nothing is edited: levers say what happens."""
        return [name for _, part in self.fieldsets for name in part["fields"]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Read what a delivery is about by statements of their own: it may be there no more."""
        rows: QuerySet[Delivery] = super().get_queryset(request)
        told = Notification.objects.select_related("player", "rule").only(
            "uid", "title", "player__key", "rule__slug"
        )
        return rows.prefetch_related("game", Prefetch("notification", told))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """Leave the search to the branches."""
        return queryset, False

    def branches(self, request: HttpRequest, found: QuerySet[Any]) -> list[QuerySet[Any]]:
        """Follow an index, whatever is asked for."""
        return delivery_filters.branches(request, found)

    def get_urls(self) -> list[URLPattern]:
        """Add the levers of groups."""
        view = self.admin_site.admin_view(partial(delivery_groups.ask_about, self))
        where = "group/<str:verb>/<int:game_id>/<str:channel>/<str:state>/"
        return [path(where, view, name=delivery_groups.NAME), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Put what fails above the list, unless something else is asked for."""
        context = {"may_operate": self.has_operate_permission(request)}
        if not (request.GET.keys() - {"game__id__exact", "channel", "state", "p"}) and request.GET.get(
            "state"
        ) in {None, "", State.DEAD}:
            context |= delivery_groups.shown(delivery_filters.asked_outlets(request))
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what makes a difference."""
        row = Delivery.objects.filter(pk=object_id).only("state").first()
        wanted = {
            State.DEAD: ("send_again_this", "send_alike_again", "give_up_this"),
            State.WAITING: ("give_up_this",),
        }.get(State(row.state), ()) if row else ()  # fmt: skip
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if each.action_name.endswith(wanted)]

    @admin.action(description="Send again…", permissions=["operate"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        """Send these again."""
        return ask(self, request, list(queryset), AGAIN)

    @admin.action(description="Give up…", permissions=["operate"])
    def give_up(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        """Give these up."""
        return ask(self, request, list(queryset), GIVE_UP)

    @action(description="Send again…", url_path="again", icon="send", permissions=["operate"])
    def send_again_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send this again."""
        return ask_about_one(self, request, self.get_object(request, object_id), AGAIN)

    @action(description="All with this fault…", url_path="alike", icon="all_inbox", permissions=["operate"])
    def send_alike_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send all again that ended as this did."""
        return delivery_groups.ask_about_alike(self.get_object(request, object_id))

    @action(description="Give up…", url_path="give-up", icon="cancel", permissions=["operate"])
    def give_up_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give this up."""
        return ask_about_one(self, request, self.get_object(request, object_id), GIVE_UP)

    @display(description="notification")
    def title(self, obj: Delivery) -> str:
        """Name what is brought."""
        told = told_of(obj)
        return told.title if told else "a notification that is no longer there"

    @display(description="notification")
    def about(self, obj: Delivery) -> Cell:
        """Link to what is brought."""
        return link_to(told_of(obj), self.title(obj))

    @display(description="state", label=COLOURS)
    def state_label(self, obj: Delivery) -> str:
        """Say where it stands."""
        return obj.state

    @display(description="game")
    def in_game(self, obj: Delivery) -> Cell:
        """Link to the game."""
        return link_to(obj.game)

    @display(description="player")
    def of_player(self, obj: Delivery) -> Cell:
        """Link to the player."""
        told = told_of(obj)
        return link_to(told.player, told.player.key) if told else EMPTY

    @display(description="rule")
    def by_rule(self, obj: Delivery) -> Cell:
        """Link to the rule."""
        told = told_of(obj)
        return link_to(told.rule) if told else EMPTY

    @display(description="next try")
    def next_try(self, obj: Delivery) -> Cell:
        """Say when it is tried next."""
        return ago(obj.due_at) if obj.state == State.WAITING else EMPTY

    @display(description="next try")
    def next_try_at(self, obj: Delivery) -> Cell:
        """Say the same, exactly."""
        return at(obj.due_at) if obj.state == State.WAITING else EMPTY

    @display(description="last try begins before")
    def until_when(self, obj: Delivery) -> Cell:
        """Say how long it is tried."""
        return at(obj.until)

    @display(description="last answer")
    def last_answer(self, obj: Delivery) -> str:
        """Say what came of the last try."""
        return answer(obj)

    @display(description="what to do")
    def what_to_do(self, obj: Delivery) -> str:
        """Say what somebody may do about it."""
        if obj.state not in {State.WAITING, State.DEAD} or not obj.error:
            return "nothing"
        return advice(obj.error, permanent=obj.state == State.DEAD)

    @display(description="each, the newest first")
    def each_try(self, obj: Delivery) -> Cell:
        """Tell them one by one."""
        context = {"tries": tries_of(obj), "left_out": max(0, obj.tries - len(obj.history))}
        return render_to_string("admin/console/tries.html", context)

    @display(description="the other side")
    def other_side(self, obj: Delivery) -> Cell:
        """Say how the channel is doing in this game."""
        outlet = Outlet.objects.filter(game_id=obj.game_id, channel=obj.channel).first()
        endpoint = WebhookEndpoint.objects.filter(game_id=obj.game_id).first()
        where = link_to(endpoint, "its endpoint") if endpoint and obj.channel == "webhook" else obj.channel
        return beside([where, outlets.state_of(outlet), outlets.explained(outlet)])

    @display(description="see also")
    def see_also(self, obj: Delivery) -> Cell:
        """Link to what is alike, and to what hubs could not process."""
        near = {"game__id__exact": obj.game_id, "channel": obj.channel}
        alike = [list_of(Delivery, "dead ones with this fault", **near, error=obj.error)] if obj.error else []
        return beside([
            *alike,
            list_of(Delivery, "all of this notification", q=obj.notification_id),
            link(reverse("admin:events_deadletter_changelist"), "dead letters of hubs"),
        ])  # fmt: skip

    @display(description="id of every try")
    def same_id(self, obj: Delivery) -> Cell:
        """Show the id by which receivers know it again."""
        return mono(obj.idempotency_id)

    @display(description="queued")
    def created_at(self, obj: Delivery) -> Cell:
        """Say when."""
        return at(obj.created)

    @display(description="ended")
    def finished_at(self, obj: Delivery) -> Cell:
        """Say when."""
        return at(obj.finished)


def told_of(row: Delivery) -> Notification | None:
    """Return what is brought; nothing where retention or an erasure has removed it."""
    try:
        return row.notification
    except ObjectDoesNotExist:
        return None
