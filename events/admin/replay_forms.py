"""What staff type to begin a replay, or to change its pace."""

from typing import Any, ClassVar

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from events.admin.asking import reason_field
from events.errors import ReplayRefused, UnknownFold, UnknownGame
from events.models import Replay
from events.replays.job import job_of, offers

BEGINS_HELP = (
    "A time in UTC such as 2026-11-24T12:00, or a partition:offset such as 3:1200. Empty is the start."
)
RATE_HELP = "Events a second, at most. Empty means no limit: live comes first anyway."


class ReplayForm(forms.ModelForm):
    """A new replay; what makes no sense is said here, by the job itself."""

    what = forms.ChoiceField(widget=UnfoldAdminSelectWidget())
    reason = reason_field()

    class Meta:
        model = Replay
        fields: ClassVar = ["game", "begins", "ends", "stream", "rate_limit"]
        labels: ClassVar = {"begins": "From", "ends": "To"}
        widgets: ClassVar = {name: UnfoldAdminTextInputWidget() for name in ("begins", "ends", "stream")}
        help_texts: ClassVar = {
            "begins": f"{BEGINS_HELP} A rebuild keeps the history from before it as it is.",
            "ends": "The same; only for dry runs. Empty is where the hub stands.",
            "stream": "One stream only, such as a player's id; only for rebuilds. Empty is all of them.",
            "rate_limit": RATE_HELP,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer what there is."""
        super().__init__(*args, **kwargs)
        if "what" in self.fields:  # not on the page of one that exists, where nothing is edited
            self.fields["what"].choices = offers()  # type: ignore[attr-defined] # a ChoiceField

    def chosen(self) -> tuple[str, str]:
        """Return kind and target."""
        kind, _, target = self.cleaned_data["what"].partition(":")
        return kind, target

    def clean(self) -> dict[str, Any]:
        """Let the job look whether it could begin."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        kind, target = self.chosen()
        named = {name: cleaned[name] for name in ("game", "begins", "ends", "stream")}
        trial = Replay(kind=kind, target=target, **named)
        job = job_of(trial)
        for name, taken in (("ends", job.takes_end), ("stream", job.takes_stream)):
            if named[name] and not taken:
                self.add_error(name, "This kind of replay takes none: leave it empty.")
        try:
            job.begin(trial)
        except ReplayRefused as refused:
            self.add_error(refused.field or None, f"{str(refused)[:1].upper()}{str(refused)[1:]}.")
        except (UnknownFold, UnknownGame) as error:
            self.add_error("what", str(error))
        return cleaned


class RateForm(forms.Form):
    """How fast, and why."""

    rate_limit = forms.IntegerField(
        label="Rate limit",
        required=False,
        min_value=1,
        max_value=1_000_000,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=RATE_HELP,
    )
    reason = reason_field()
