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
from events.admin.cells import Cell, address_of, ago, at, mono, page_of
from events.admin.confirming import Lever, ask_about_one
from events.admin.lists import ConsoleAdmin
from events.models import AlarmRecipient
from events.webhooks import AddressRefused, Verdict, check_url, new_salt, shown

RENEW = Lever(
    verb="Renew the secret of",
    done="Renewed the secret of",
    noun=("recipient", "recipients"),
    warning="Calls are signed with another secret at once. Whoever checks the old one refuses them until they have"
    " the new one, which is on the recipient's page.",
    pull=steering.renew_secret,
)


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
        """Show what belongs to one that exists; secret and address only to who may change them."""
        if obj is None:
            return ("name", "channel", "address", "severity", "games", "enabled")
        if not self.has_change_permission(request, obj):
            return ("name", "channel", "goes_to", "severity", "games", "enabled", "hears", "last_at")
        secret = ("secret",) if obj.channel == AlarmRecipient.Channel.WEBHOOK else ()
        return ("name", "channel", "address", *secret, "severity", "games", "enabled", "hears", "last_at")

    readonly_fields = ("goes_to", "secret", "hears", "last_at")

    def save_model(self, request: HttpRequest, obj: AlarmRecipient, form: Any, change: bool) -> None:
        """Save, on record; an address may hold a secret, so it is not noted."""
        if not change:
            obj.salt = new_salt()
        super().save_model(request, obj, form, change)
        self._noted(request, obj, "saved", changed=form.changed_data)

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
        """Sign with another secret."""
        return ask_about_one(self, request, self.get_object(request, object_id), RENEW)

    @display(description="to")
    def goes_to(self, obj: AlarmRecipient) -> str:
        """Name the host; the rest of a web address may be a secret."""
        return obj.address if "@" in obj.address else urlsplit(obj.address).netloc

    @display(description="from severity", label=SEVERITIES)
    def severe(self, obj: AlarmRecipient) -> str:
        """Say from where on they are told."""
        return obj.severity

    @display(description="secret")
    def secret(self, obj: AlarmRecipient) -> Cell:
        """Show what calls are signed with, as Standard Webhooks' libraries take it."""
        return mono(shown(channels.secret(obj)))

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
