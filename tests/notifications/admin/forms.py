"""A rule's form as a browser sends it, and the errors that a page shows."""

from typing import Any

from events.models import Game
from notifications.models import Rule
from tests.notifications.given import LEVEL

ADD = "admin:notifications_rule_add"
PREVIEW = "admin:notifications_rule_preview"
SAMPLE = {"player_id": "alice", "level": 15}


def form(of: Game, *words: tuple[str, str, str], rule: Rule | None = None, **fields: Any) -> dict[str, Any]:
    """Return a rule's form as a browser sends it; words are (locale, title, body)."""
    given = words or (("en", "Level {{ data.level }}!", "Well done, {{ player.display_name }}."),)
    rows = {row.locale: row.pk for row in rule.templates.all()} if rule else {}
    data: dict[str, Any] = {
        "game": of.pk, "slug": "levels", "description": "", "enabled": "on", "event_type": LEVEL, "condition": "",
        "audience_kind": "path", "audience_path": "data.player_id", "audience_players": "",
        "notification_class": "inbox", "category": "progress", "ttl_s": "", "default_locale": "en",
        "based_on": rule.revision_id if rule else "",
        "templates-TOTAL_FORMS": len(given), "templates-INITIAL_FORMS": sum(words[0] in rows for words in given),
        "templates-MIN_NUM_FORMS": "1", "templates-MAX_NUM_FORMS": "1000",
    }  # fmt: skip
    for number, (locale, title, body) in enumerate(sorted(given, key=lambda each: each[0] not in rows)):
        data |= {
            f"templates-{number}-locale": locale, f"templates-{number}-title": title, f"templates-{number}-body": body,
            f"templates-{number}-id": rows.get(locale, ""), f"templates-{number}-rule": rule.pk if rule else "",
        }  # fmt: skip
    return data | fields


def form_of(rule: Rule, **fields: Any) -> dict[str, Any]:
    """Return the form of a saved rule as its page shows it."""
    words = [(row.locale, row.title, row.body) for row in rule.templates.all()]
    shown = {
        "slug": rule.slug, "event_type": rule.event_type, "condition": rule.condition, "category": rule.category,
        "ttl_s": "" if rule.ttl_s is None else rule.ttl_s, "notification_class": rule.notification_class,
        "channels": rule.channels,
    }  # fmt: skip
    return form(rule.game, *words, rule=rule, **{**shown, **fields})


def errors(response: Any) -> dict[str, Any]:
    """Return the errors of a page: of the rule by field, of its words by (locale, field), of all words by 'words'."""
    assert response.status_code == 200, response.status_code
    found: dict[str, Any] = {
        name: " ".join(messages) for name, messages in response.context["adminform"].form.errors.items()
    }
    words = response.context["inline_admin_formsets"][0].formset
    for each in words.forms:
        locale = each["locale"].value()
        found |= {f"{locale} {name}": " ".join(messages) for name, messages in each.errors.items()}
    if words.non_form_errors():
        found["words"] = " ".join(words.non_form_errors())
    return found
