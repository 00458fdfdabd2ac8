"""The form of a rule and its words: what is wrong is said at the field, before anything is saved."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from events.admin.fields import Lines
from events.models import EventType
from notifications.admin import channels, problems
from notifications.engine import EventView
from notifications.models import Rule, RuleTemplate
from players.locales import LocaleInvalid, normalise_locale

CODE = {"class": "console-code-input", "spellcheck": "false", "autocomplete": "off"}


class Suggesting(UnfoldAdminTextInputWidget):
    """Text with suggestions; what is not among them is accepted too."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Read the suggestions when they are shown."""
        known = EventType.objects.order_by("name").values_list("name", flat=True).distinct()
        options = format_html_join("", '<option value="{}"></option>', ((each,) for each in known))
        field = super().render(name, value, {**(attrs or {}), "list": f"known-{name}"}, renderer)
        return format_html('{}<datalist id="known-{}">{}</datalist>', field, name, options)


def a_locale(text: str) -> str:
    """Return a locale as it is stored.

    Raises:
        ValidationError: it is none.
    """
    try:
        return normalise_locale(text)
    except LocaleInvalid as error:
        raise ValidationError(str(error)) from error


def sample_view(rule: Rule) -> tuple[EventView, bool]:
    """Return the sample of a rule's event type, and whether there is one."""
    kind = problems.sample_of(rule)
    data = kind.sample if kind else None
    return EventView.sample(rule.event_type, data, datetime.now(UTC)), data is not None


class RuleForm(forms.ModelForm):
    """A rule but for its words."""

    audience_players = Lines(
        required=False, label="Players", help_text="Players' ids, one on each line; at most 10,000."
    )
    channels = forms.MultipleChoiceField(
        required=False,
        label="Also by",
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="The inbox and connected devices have it in any case. A channel that fails is tried again for a"
        " day, or until the notification expires or is read: see Deliveries.",
    )
    based_on = forms.IntegerField(required=False, widget=forms.HiddenInput())
    """The revision that was shown, so that nobody overwrites what they have not seen."""

    class Meta:
        model = Rule
        fields: ClassVar = [
            "game", "slug", "description", "enabled", "event_type", "condition", "audience_kind", "audience_path",
            "audience_players", "notification_class", "category", "ttl_s", "default_locale", "channels",
        ]  # fmt: skip
        labels: ClassVar = {
            "audience_kind": "Players are",
            "audience_path": "Path",
            "notification_class": "Class",
            "ttl_s": "Seconds to live",
        }
        help_texts: ClassVar = {
            "event_type": "Dotted and in the past tense, such as guild.invite.received.",
            "audience_path": "Where the event's data holds a player's id, or an array of them.",
            "category": "What players will be able to mute: letters, digits, - and _.",
            "default_locale": "The words for players whose language has none of its own.",
        }
        widgets: ClassVar = {
            "event_type": Suggesting(),
            "condition": UnfoldAdminTextareaWidget({"rows": 3, **CODE}),
            "description": UnfoldAdminTextareaWidget({"rows": 2}),
        }

    previewing = False
    """Set for a preview, which saves nothing and may therefore be late."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the channels that there are."""
        super().__init__(*args, **kwargs)
        if "channels" in self.fields:  # not where nothing is edited
            offered = channels.offered(self.instance.channels)
            self.fields["channels"].choices = offered  # type: ignore[attr-defined] # a MultipleChoiceField

    def clean_default_locale(self) -> str:
        """Store it as BCP 47 writes it."""
        return a_locale(self.cleaned_data["default_locale"])

    def clean_audience_path(self) -> str:
        """Take the usual place for none."""
        return self.cleaned_data["audience_path"].strip() or "data.player_id"

    def clean(self) -> dict[str, Any]:
        """Refuse channels that lead nowhere, and to overwrite what somebody else has saved meanwhile."""
        cleaned = super().clean() or {}
        game = self.instance.game_id or getattr(cleaned.get("game"), "pk", None)
        for sentence in channels.missing(game, cleaned.get("channels", [])) if game else []:
            self.add_error("channels", sentence)
        if self.instance.pk and not self.previewing:
            rows = Rule.objects.select_for_update(of=("self",)).select_related("revision__author")
            now = rows.get(pk=self.instance.pk)
            if now.revision and now.revision_id != cleaned.get("based_on"):
                who = now.revision.author or "Somebody"
                raise ValidationError(
                    f"{who} has saved revision {now.revision.number} since you opened this page, and saving yours"
                    " would undo that. Open the rule anew in another tab and bring your changes there."
                )
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc] # Django's own hook: the instance has the form's values after it
        if "game" in self.errors or "event_type" in self.errors or not self.instance.game_id:
            return
        view, known = sample_view(self.instance)
        for field, message in problems.of_rule(self.instance, view, known=known):
            if field not in self.errors:
                self.add_error(field if field in self.fields else None, message)


class TemplateForm(forms.ModelForm):
    """A rule's words in one locale."""

    class Meta:
        model = RuleTemplate
        fields: ClassVar = ["locale", "title", "body"]
        help_texts: ClassVar = {"locale": ""}
        widgets: ClassVar = {
            "locale": UnfoldAdminTextInputWidget({"placeholder": "pt-BR"}),
            "title": UnfoldAdminTextInputWidget(CODE),
            "body": UnfoldAdminTextareaWidget({"rows": 3, **CODE}),
        }

    def clean_locale(self) -> str:
        """Store it as BCP 47 writes it."""
        return a_locale(self.cleaned_data["locale"])


class TemplateFormSet(PaginationInlineFormSet):
    """All words of a rule: at least those in its default locale."""

    def words(self) -> dict[str, dict[str, str]]:
        """Return what would be saved, by locale."""
        return {
            form.cleaned_data["locale"]: {
                "title": form.cleaned_data.get("title", ""),
                "body": form.cleaned_data.get("body", ""),
            }
            for form in self._kept()
            if "locale" in form.cleaned_data
        }

    def clean(self) -> None:
        """Compile each template, and render it with the sample."""
        rule: Rule = self.instance
        seen: dict[str, TemplateForm] = {}
        for form in self._kept():
            locale = form.cleaned_data.get("locale")
            if locale in seen:
                form.add_error("locale", f"There are words in {locale} already.")
            elif locale:
                seen[locale] = form
        words = self.words()
        if not words:
            raise ValidationError(
                f"Say something, at least in the default locale {rule.default_locale}.", code="required"
            )
        if not rule.game_id:
            return
        view, known = sample_view(rule)
        about_all = []
        for locale, part, message in problems.of_words(rule, words, view, known=known):
            if locale not in seen:
                about_all.append(message)
            elif part not in seen[locale].errors:
                seen[locale].add_error(part if part in {"title", "body"} else None, message)
        if about_all:
            raise ValidationError(about_all)

    def _kept(self) -> list[TemplateForm]:
        return [
            form
            for form in self.forms
            if (form.has_changed() or form.instance.pk)
            and not (self.can_delete and self._should_delete_form(form))
        ]
