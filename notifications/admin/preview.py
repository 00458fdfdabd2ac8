"""The preview of a rule: what it would do with a sample, before it is saved. Decided here, never in the browser."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render

from events.admin.cells import indented, json_text
from events.admin.fields import JSONArea
from events.models import Event
from notifications import engine, rulebook
from notifications.admin import channels, problems
from notifications.admin.reasons import steps
from notifications.decisions.views import player_views
from notifications.engine import Content, EventView, PlayerView, RuleInvalid
from notifications.models import Rule
from players.locales import LocaleInvalid, normalise_locale
from players.models import Player

REACHED_SHOWN = 10
Problem = tuple[str, str]
"""Where, and what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A rule as it stands on the page."""

    rule: Rule
    definition: Mapping[str, Any]
    problems: Sequence[Problem]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What the draft is tried on."""

    chosen: str  # sample, newest or typed
    text: str
    data: Any = None
    problem: str = ""


def preview(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Answer a POST of the form with the inside of the panel: gates, words in each locale, what is wrong."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    stored = _stored(request.POST.get("preview_rule", ""))
    typed = "templates-TOTAL_FORMS" in request.POST  # whoever may only look has no form to send
    draft = _typed(model_admin, request, stored) if typed else _saved(stored)
    context: dict[str, Any] = {"draft": draft, "problems": draft.problems if draft else ()}
    if draft and draft.rule.game_id and draft.rule.event_type:
        context["sample"] = sample = _sample(request, draft.rule)
        if sample.problem:
            context["problems"] = [*draft.problems, ("sample", sample.problem)]
        else:
            context |= _tried(request, draft, sample.data)
    return render(request, "admin/console/preview.html", context)


def _stored(key: str) -> Rule | None:
    rules = Rule.objects.select_related("revision")
    return rules.filter(pk=key).first() if key.isdecimal() else None


def _saved(rule: Rule | None) -> Draft | None:
    if rule is None or rule.revision is None:
        return None
    return Draft(rule=rule, definition=rule.revision.definition, problems=())


def _typed(model_admin: Any, request: HttpRequest, stored: Rule | None) -> Draft:
    """Read the form as saving would, and save nothing."""
    form = model_admin.get_form(request, stored, change=stored is not None)(request.POST, instance=stored)
    form.previewing = True
    form.is_valid()
    inline = model_admin.get_inline_instances(request, stored)[0]
    words = inline.get_formset(request, stored)(data=request.POST, instance=form.instance, prefix="templates")
    words.is_valid()
    return Draft(
        rule=form.instance,
        definition=rulebook.snapshot(form.instance, words.words()),
        problems=[*_said(form, ""), *_said_of_words(words)],
    )


def _said(form: Any, about: str) -> Iterator[Problem]:
    """Name what is wrong; what is only not filled in yet shows by itself."""
    for name, errors in form.errors.as_data().items():
        label = "" if name == "__all__" else str(form.fields[name].label or name)
        for error in errors:
            if error.code != "required":
                yield f"{about} {label}".strip(), " ".join(error.messages)


def _said_of_words(words: Any) -> Iterator[Problem]:
    for form in words.forms:
        yield from _said(form, f"{form['locale'].value() or 'new'}:")
    for error in words.non_form_errors().as_data():
        if error.code != "required":
            yield "words", " ".join(error.messages)


def _sample(request: HttpRequest, rule: Rule) -> Sample:
    chosen = request.POST.get("preview_from", "sample")
    if chosen == "typed":
        return _typed_sample(request.POST.get("preview_sample", ""))
    if chosen == "newest":
        return _newest(request, rule)
    kind = problems.sample_of(rule)
    if kind is None or kind.sample is None:
        missing = f"{rule.event_type} has no sample. Take the newest event, or type one."
        return Sample(chosen="sample", text="", problem=missing)
    return Sample(chosen="sample", text=json_text(kind.sample), data=kind.sample)


def _typed_sample(text: str) -> Sample:
    try:
        data = JSONArea(required=True).clean(text)
    except ValidationError as error:
        return Sample(chosen="typed", text=text, problem=" ".join(error.messages))
    return Sample(chosen="typed", text=text, data=data)


def _newest(request: HttpRequest, rule: Rule) -> Sample:
    if not request.user.has_perm("events.view_event"):
        return Sample(chosen="newest", text="", problem="You may not look at events.")
    rows = Event.objects.filter(game_id=rule.game_id, type=rule.event_type).order_by("-recorded", "-id")
    event = rows.first()
    if event is None or event.data is None or event.data_encoding != "json":
        return Sample(chosen="newest", text="", problem=f"The log has no {rule.event_type} with data.")
    return Sample(chosen="newest", text=indented(event.data), data=JSONArea().to_python(event.data))


def _tried(request: HttpRequest, draft: Draft, data: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    view = EventView.sample(draft.rule.event_type, data, now)
    try:
        compiled = engine.compile_rule(draft.definition)
    except RuleInvalid:
        return {}  # the form has said so
    reached = engine.reaches(compiled, view, now)
    player = _player(request, draft.rule.game_id, reached)
    facts = compiled.condition.facts(view) if compiled.condition else {}
    shown = engine.preview(draft.definition, view, player, now)
    return {
        "problems": [*draft.problems, *shown.problems],
        "player": player,
        "reached": reached[:REACHED_SHOWN],
        "reached_count": len(reached),
        "verdict": shown.decision,
        "steps": steps(shown.decision.gates, engine.explain(shown.decision), facts),
        "contents": sorted(shown.contents.items()),
        **_roads(draft, shown.decision.content),
    }


def _roads(draft: Draft, content: Content | None) -> dict[str, Any]:
    """Return by which ways it would go, and by which it would not although the rule says so."""
    if content is None:
        return {}
    game_id = draft.rule.game_id
    off = channels.switched_off(game_id, content.channels)
    return {"roads": channels.roads(game_id, content.class_, content.channels), "closed_roads": off}


def _player(request: HttpRequest, game_id: int, reached: Sequence[str]) -> PlayerView:
    """Return the player that is asked for, with the profile if staff may see it; else the first one reached."""
    key = request.POST.get("preview_player", "").strip() or next(iter(reached), "sample")
    row = Player.objects.filter(game_id=game_id, key=key).first()
    if row is not None and request.user.has_perm("players.view_player"):
        player = player_views([row.pk])[row.pk]
    else:
        player = PlayerView(key=key, display_name="Sample")
    locale = request.POST.get("preview_locale", "").strip()
    try:
        return replace(player, locale=normalise_locale(locale)) if locale else player
    except LocaleInvalid:
        return player
