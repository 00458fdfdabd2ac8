"""Who is told of alarms, and by which way."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from config.console.alarms import SEVERITIES
from config.watch import channels, steering, telling
from events.admin.asking import Asking, ReasonForm, ask_for
from events.admin.cells import Cell, address_of, ago, at, page_of
from events.admin.lists import ConsoleAdmin
from events.admin.showing_once import NOT_KEPT, show_once
from events.models import AlarmRecipient
from events.webhooks import AddressRefused, Verdict, check_url, new_salt, shown


class RecipientForm(forms.ModelForm):
    """Takes addresses that the way can reach."""

    class Meta:
        model = AlarmRecipient
        fields: ClassVar = ["name", "channel", "address", "severity", "games", "enabled"]
        widgets: ClassVar = {"address": UnfoldAdminTextInputWidget()}

    def clean(self) -> dict[str, Any]:
        """Check the address as the way will."""
        cleaned = super().clean() or {}
        address = str(cleaned.get("address", "")).strip()
        try:
            if cleaned.get("channel") == AlarmRecipient.Channel.EMAIL:
                self._check_mail(address)
            else:
                check_url(address)
        except (AddressRefused, ValidationError) as error:
            said = error.messages if isinstance(error, ValidationError) else [f"{error}."]
            self.add_error("address", said)
        cleaned["address"] = address
        return cleaned

    def _check_mail(self, address: str) -> None:
        if not settings.CLARION_EMAIL:
            raise ValidationError("No e-mail can be sent: EMAIL_URL is not set.")
        validate_email(address)


@admin.register(AlarmRecipient)
class AlarmRecipientAdmin(ConsoleAdmin):
    """Who is told, and whether it arrives."""

    form = RecipientForm
    list_display = ("name", "channel", "goes_to", "severe", "enabled", "hears", "last")
    sortable_by = ()
    filter_horizontal = ("games",)
    actions_detail = ("send_a_test", "renew")
    empty_hint = (
        "Nobody is told of alarms outside of the console. Add whoever is on call, by webhook or e-mail."
    )

    def get_fields(self, request: HttpRequest, obj: AlarmRecipient | None = None) -> tuple[str, ...]:
        """Show what belongs to one that exists; the address only to who may change it."""
        if obj is None:
            return ("name", "channel", "address", "severity", "games", "enabled")
        if not self.has_change_permission(request, obj):
            return ("name", "channel", "goes_to", "severity", "games", "enabled", "hears", "last_at")
        return ("name", "channel", "address", "severity", "games", "enabled", "hears", "last_at")

    readonly_fields = ("goes_to", "hears", "last_at")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer a new secret where calls are signed with one."""
        signed = AlarmRecipient.objects.filter(pk=object_id, channel=AlarmRecipient.Channel.WEBHOOK).exists()
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if signed or not each.action_name.endswith("renew")]

    def save_model(self, request: HttpRequest, obj: AlarmRecipient, form: Any, change: bool) -> None:
        """Save, on record; an address may hold a secret, so it is not noted."""
        if not change:
            obj.salt = new_salt()
        super().save_model(request, obj, form, change)
        self._noted(request, obj, "saved", changed=form.changed_data)

    def response_add(
        self, request: HttpRequest, obj: AlarmRecipient, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret of one that gets signed calls."""
        if obj.channel == AlarmRecipient.Channel.WEBHOOK:
            return self._secret(request, obj)
        answer: HttpResponse = super().response_add(request, obj, post_url_continue)
        return answer

    def delete_model(self, request: HttpRequest, obj: AlarmRecipient) -> None:
        """Delete, on record."""
        self._noted(request, obj, "deleted")
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AlarmRecipient]) -> None:
        """Delete one by one."""
        for obj in queryset:
            self.delete_model(request, obj)

    def _noted(self, request: HttpRequest, obj: AlarmRecipient, what: str, **facts: Any) -> None:
        by = request.user.get_username()
        steering.note(f"alarm_recipient.{what}", by, None, recipient=obj.name, channel=obj.channel, **facts)

    @action(description="Send a test", url_path="test", icon="send", permissions=["operate"])
    def send_a_test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send a message that says that nothing is wrong, and tell what came of it."""
        row = self.get_object(request, object_id)
        if row is None:
            return HttpResponseRedirect(address_of(AlarmRecipient))
        answer = telling.tell_a_test(row, request.user.get_username(), timezone.now())
        if answer.verdict is Verdict.DELIVERED:
            messages.success(request, f"{row.name} has taken the test message.")
        else:
            messages.error(request, f"The test message did not arrive: {answer.detail}.")
        return HttpResponseRedirect(page_of(row))

    @action(description="New secret…", url_path="renew", icon="key", permissions=["operate"])
    def renew(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Sign with another secret from now on, and show it once."""
        row = self.get_object(request, object_id)
        if row is None:
            return HttpResponseRedirect(address_of(AlarmRecipient))
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            steering.renew_secret(row, request.user.get_username(), form.cleaned_data["reason"])
            return self._secret(request, row)
        asking = Asking(
            title=f"Make a new secret for {row}?",
            explanation="Calls are signed with it at once. Whoever checks the old one refuses them until they have"
            " the new one, which is shown on the next page, and never again.",
            button="Make it",
            back=page_of(row),
        )
        return ask_for(self, request, form, asking)

    def _secret(self, request: HttpRequest, row: AlarmRecipient) -> HttpResponse:
        return show_once(
            self, request, shown(channels.secret(row)), title=f"The secret of {row}", whose=row.name,
            kept=NOT_KEPT, use="admin/console/secret_webhook.html", page=page_of(row),
        )  # fmt: skip

    @display(description="to")
    def goes_to(self, obj: AlarmRecipient) -> str:
        """Name the host; the rest of a web address may be a secret."""
        return obj.address if "@" in obj.address else urlsplit(obj.address).netloc

    @display(description="from severity", label=SEVERITIES)
    def severe(self, obj: AlarmRecipient) -> str:
        """Say from where on they are told."""
        return obj.severity

    @display(description="state", label={"hears": "success", "fails": "danger", "not tried": "info"})
    def hears(self, obj: AlarmRecipient) -> str:
        """Say whether things arrive."""
        return "fails" if obj.failing else "hears" if obj.delivered else "not tried"

    @display(description="last arrived")
    def last(self, obj: AlarmRecipient) -> Cell:
        """Say when something last arrived, or why not."""
        return obj.error or ago(obj.delivered)

    @display(description="last arrived")
    def last_at(self, obj: AlarmRecipient) -> Cell:
        """Say the same, exactly."""
        return f"{obj.error}, since {at(obj.failing)}" if obj.failing else at(obj.delivered)
