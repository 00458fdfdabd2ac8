"""Where each problem of a rule's definition belongs on its form."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from events.models import EventType
from notifications import rulebook
from notifications.engine import EventView, check
from notifications.models import Rule
from notifications.models.rules import AudienceKind

Problem = tuple[str, str]  # field, message

_PART = re.compile(r"(on the sample, )?(title|body): (.*)", re.DOTALL)
_HARMLESS = {
    "condition": "",
    "audience": {"players": ["sample"]},
    "class": "inbox",
    "category": "general",
    "ttl_s": None,
}
_ABOUT_DATA = ("condition", "audience", "templates")


def sample_of(rule: Rule) -> EventType | None:
    """Return the event type that a rule is about, if it is listed."""
    return EventType.objects.filter(game_id=rule.game_id, name=rule.event_type).first()


def of_rule(rule: Rule, sample: EventView, *, known: bool) -> Iterator[Problem]:
    """Yield what is wrong with a rule but for its words, by the names of its columns.

    Args:
        rule: may be unsaved.
        sample: an event of the rule's type.
        known: whether the sample's data is one; otherwise nothing is said about paths in it.
    """
    words = {rule.default_locale: {"title": "-"}}
    for field, message in _checked(rulebook.snapshot(rule, words), sample, known=known):
        if not field.startswith("templates"):
            yield _column(field, rule), message


def of_words(
    rule: Rule, words: Mapping[str, Mapping[str, str]], sample: EventView, *, known: bool
) -> Iterator[tuple[str, str, str]]:
    """Yield (locale, part, message) for what is wrong with a rule's words; locale '' for all of them."""
    definition = rulebook.snapshot(rule, words) | _HARMLESS
    for field, message in _checked(definition, sample, known=known):
        if field.startswith("templates"):
            yield _placed(field.removeprefix("templates").removeprefix("."), message, words)


def _checked(definition: Mapping[str, Any], sample: EventView, *, known: bool) -> Iterable[Problem]:
    return [
        (field, message)
        for field, message in check(definition, sample)
        if known or not _is_about_data(field, message)
    ]


def _is_about_data(field: str, message: str) -> bool:
    """Tell whether a problem comes from the sample, not from the definition alone."""
    return field.startswith(_ABOUT_DATA) and "sample" in message


def _placed(place: str, message: str, words: Iterable[str]) -> tuple[str, str, str]:
    locale = next((each for each in words if place == each or place.startswith(f"{each}.")), "")
    part = place.removeprefix(locale).removeprefix(".")
    if found := _PART.fullmatch(message):
        return locale, found[2], f"{found[1] or ''}{found[3]}"
    return locale, part or "title", message


def _column(field: str, rule: Rule) -> str:
    if field == "audience":
        return "audience_players" if rule.audience_kind == AudienceKind.PLAYERS else "audience_path"
    if field == "class":
        return "notification_class"
    return field
