"""Webhook endpoints: set up, switched, tried out; the secret is shown once, when it is made."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from events.admin.asking import Asking, ReasonForm, ask_for
from events.admin.cells import EMPTY, Cell, address_of, ago, at, beside, list_of, page_of
from events.admin.confirming import Lever, ask_about_one
from events.admin.lists import ConsoleAdmin
from events.admin.showing_once import NOT_KEPT, show_once
from events.models import Game
from events.webhooks import AddressRefused, Verdict, check_url
from notifications.admin import outlets
from notifications.admin.advice import advice
from notifications.admin.delivery_groups import AGAIN, GIVE_UP, address
from notifications.delivery import endpoints
from notifications.delivery.channels.webhook import WebhookChannel
from notifications.delivery.groups import Group
from notifications.models import Delivery, Outlet, WebhookEndpoint
from notifications.models.deliveries import State

END_FORMER = Lever(
    verb="End the former secret of",
    done="Ended the former secret of",
    noun=("endpoint", "endpoints"),
    warning="Calls carry only the signature of the new secret from now on. A receiver that checks the former one"
    " refuses them: end it once the new one is there, or when the former one has leaked.",
    pull=lambda rows, by, reason: sum(endpoints.end_former_secret(row, by, reason) for row in rows),
    unchanged="had none any more.",
)


class EndpointForm(forms.ModelForm):
    """Takes addresses that webhooks may reach."""

    class Meta:
        model = WebhookEndpoint
        fields: ClassVar = ["game", "url", "enabled"]
        widgets: ClassVar = {
            "url": UnfoldAdminTextInputWidget(
                {"placeholder": "https://game.example/hooks", "autocomplete": "off"}
            )
        }

    def clean_url(self) -> str:
        """Look as every call will."""
        url = str(self.cleaned_data["url"]).strip()
        try:
            check_url(url)
        except AddressRefused as error:
            said = str(error)
            raise ValidationError(f"{said[:1].upper()}{said[1:]}.") from error
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ConsoleAdmin):
    """One for each game: where its webhooks go, and how that is doing."""

    form = EndpointForm
    list_display = ("game", "goes_to", "state", "succeeded_ago", "failed_ago", "went")
    list_display_links = ("game",)
    list_filter = (("enabled", BooleanRadioFilter),)
    list_select_related = ("game",)
    ordering = ("game__slug",)
    sortable_by = ()
    more: ClassVar = {
        "title": "Deliveries", "icon": "outgoing_mail", "items": ["send_dead_again", "give_up_waiting"],
    }  # fmt: skip
    actions_detail = ("test_this", "renew_this", "end_former_this", more)
    readonly_fields = (
        "goes_to", "state", "doing", "succeeded", "failed", "signs", "went", "created_at", "updated_at",
    )  # fmt: skip
    empty_hint = "No game has a server of its own told yet. Add an endpoint, then tick webhook at a rule."

    def get_fieldsets(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        """Show of one that exists how it is doing; its whole address only to who may change it."""
        if obj is None:
            return ((None, {"fields": ("game", "url", "enabled")}),)
        url = "url" if self.has_change_permission(request, obj) else "goes_to"
        return (
            (None, {"fields": ("state", "doing", "succeeded", "failed", "went")}),
            ("Where to", {"fields": ("game", url, "enabled")}),
            ("Signatures", {"fields": ("signs", "created_at", "updated_at")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        """Keep an endpoint with its game."""
        return (*self.readonly_fields, "game") if obj else self.readonly_fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Choose the game where there is no choice."""
        without = list(Game.objects.filter(webhook=None).values_list("id", flat=True)[:2])
        only = {"game": without[0]} if len(without) == 1 else {}
        return {**only, **super().get_changeform_initial_data(request)}

    def has_delete_permission(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> bool:
        """Switch it off instead: deliveries refer to it."""
        return False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer to end a former secret while there is one."""
        signing = WebhookEndpoint.objects.filter(pk=object_id, former_until__gt=timezone.now()).exists()
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if signing or not each.action_name.endswith("end_former_this")]

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        """Save, on record, and keep a new one's secret for the answer to this request only."""
        vars(obj)["secret"] = endpoints.save(obj, request.user.get_username())

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret."""
        return self._secret(request, obj, vars(obj)["secret"])

    @action(description="Send a test…", url_path="test", icon="send", permissions=["operate"])
    def test_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send a real, signed message that says nothing, and show what was answered."""
        row = self.get_object(request, object_id)
        if row is None:
            return HttpResponseRedirect(address_of(WebhookEndpoint))
        if request.method != "POST":
            asking = Asking(
                title=f"Send a test to {_host(row)}?",
                explanation="A real call, signed as every other, whose type is “clarion.test”; it is about no player."
                " What is answered within 15 s is shown. If it is taken, deliveries that were left alone go on.",
                button="Send it",
                back=page_of(row),
            )
            return ask_for(self, request, forms.Form(), asking)
        tested = endpoints.test(row, request.user.get_username())
        context = {
            **self.admin_site.each_context(request),
            "title": f"Test of the {row}",
            "tested": tested,
            "taken": tested.answer.verdict is Verdict.DELIVERED,
            "advice": advice(tested.answer.error, permanent=tested.answer.verdict is Verdict.PERMANENT),
            "page": page_of(row),
        }
        response = TemplateResponse(request, "admin/console/tested.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @action(description="New secret…", url_path="renew", icon="key", permissions=["operate"])
    def renew_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make another secret, and show it once."""
        row = self.get_object(request, object_id)
        if row is None:
            return HttpResponseRedirect(address_of(WebhookEndpoint))
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            by = request.user.get_username()
            return self._secret(request, row, endpoints.renew_secret(row, by, form.cleaned_data["reason"]))
        asking = Asking(
            title=f"Make a new secret for the {row}?",
            explanation="For a day calls carry two signatures, of the new secret and of the present one, so the"
            " receiver may change over without a gap. A secret that was replaced before that ends at once."
            " The new one is shown on the next page, and never again.",
            button="Make it",
            back=page_of(row),
        )
        return ask_for(self, request, form, asking)

    @action(
        description="End the former secret…", url_path="end-former", icon="key_off", permissions=["operate"]
    )
    def end_former_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Sign with the new secret alone."""
        return ask_about_one(self, request, self.get_object(request, object_id), END_FORMER)

    @action(description="Send dead ones again…", url_path="again", icon="all_inbox", permissions=["operate"])
    def send_dead_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lead to the page that asks about all dead deliveries of this endpoint."""
        return self._group(request, object_id, AGAIN, State.DEAD)

    @action(description="Give up what waits…", url_path="give-up", icon="cancel", permissions=["operate"])
    def give_up_waiting(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lead to the page that asks about all that waits for this endpoint."""
        return self._group(request, object_id, GIVE_UP, State.WAITING)

    def _group(self, request: HttpRequest, object_id: str, verb: str, state: State) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            return HttpResponseRedirect(address_of(WebhookEndpoint))
        group = Group(game_id=row.game_id, channel=WebhookChannel.name, state=state)
        return HttpResponseRedirect(address(verb, group))

    def _secret(self, request: HttpRequest, row: WebhookEndpoint, secret: str) -> HttpResponse:
        return show_once(
            self, request, secret, title=f"The secret of the {row}", whose=f"the {row}", page=page_of(row),
            kept=NOT_KEPT, use="admin/console/secret_webhook.html",
        )  # fmt: skip

    @display(description="to")
    def goes_to(self, obj: WebhookEndpoint) -> str:
        """Name the host; the rest of an address may be a secret."""
        return _host(obj)

    @display(description="state", label=outlets.COLOURS)
    def state(self, obj: WebhookEndpoint) -> str:
        """Say how it is doing."""
        return outlets.state_of(_outlet(obj))

    @display(description="which means")
    def doing(self, obj: WebhookEndpoint) -> Cell:
        """Say what that means."""
        return outlets.explained(_outlet(obj))

    @display(description="last taken")
    def succeeded_ago(self, obj: WebhookEndpoint) -> Cell:
        """Say when it last took something."""
        outlet = _outlet(obj)
        return ago(outlet.last_success) if outlet else EMPTY

    @display(description="last failed")
    def failed_ago(self, obj: WebhookEndpoint) -> Cell:
        """Say when a try last failed, and of what."""
        outlet = _outlet(obj)
        return (
            beside([ago(outlet.last_failure), outlet.last_fault]) if outlet and outlet.last_failure else EMPTY
        )

    @display(description="last taken")
    def succeeded(self, obj: WebhookEndpoint) -> Cell:
        """Say when, exactly."""
        return outlets.last_success(_outlet(obj))

    @display(description="last failed")
    def failed(self, obj: WebhookEndpoint) -> Cell:
        """Say when and of what, exactly."""
        return outlets.last_failure(_outlet(obj))

    @display(description="deliveries")
    def went(self, obj: WebhookEndpoint) -> Cell:
        """Link to what waits, what is dead, and all."""
        near = {"game__id__exact": obj.game_id, "channel": WebhookChannel.name}
        return beside([
            list_of(Delivery, "waiting", **near, state=State.WAITING),
            list_of(Delivery, "dead", **near, state=State.DEAD),
            list_of(Delivery, "all", **near),
        ])  # fmt: skip

    @display(description="secret")
    def signs(self, obj: WebhookEndpoint) -> Cell:
        """Say which secrets sign; none of them is ever shown again."""
        if obj.former_until and obj.former_until > timezone.now():
            return beside(["the new one, and beside it the former one until", at(obj.former_until)])
        return "shown when it was made, and never again; a new one can be made"

    @display(description="made")
    def created_at(self, obj: WebhookEndpoint) -> Cell:
        """Say when."""
        return at(obj.created)

    @display(description="changed")
    def updated_at(self, obj: WebhookEndpoint) -> Cell:
        """Say when."""
        return at(obj.updated)


def _host(row: WebhookEndpoint) -> str:
    return urlsplit(row.url).netloc


def _outlet(row: WebhookEndpoint) -> Outlet | None:
    """Return its outlet, read once for a page."""
    if "outlet" not in vars(row):
        vars(row)["outlet"] = Outlet.objects.filter(game_id=row.game_id, channel=WebhookChannel.name).first()
    found: Outlet | None = vars(row)["outlet"]
    return found
