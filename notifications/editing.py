"""What staff do to rules: save, switch on and off, bring an earlier state back."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from events import staff
from notifications import rulebook
from notifications.models import Rule, RuleRevision, RuleTemplate
from notifications.models.rules import AudienceKind


@transaction.atomic
def save(rule: Rule, author: Any) -> tuple[RuleRevision, RuleRevision | None]:
    """Make a revision of a rule as it is stored now; return it and the one before.

    Where nothing has changed both are the same, and nothing is written.

    Raises:
        RuleInvalid: the definition cannot be compiled.
    """
    before = rule.revision
    revision = rulebook.save_revision(rule, author)
    if revision != before:
        by = author.get_username() if author else ""
        staff.note(rule.game_id, "rule.saved", by, rule=rule.slug, revision=revision.number)
    return revision, before


@transaction.atomic
def switch(rules: Sequence[Rule], by: str, reason: str, *, enabled: bool) -> int:
    """Enable or disable rules, built-in ones excepted; return how many were not so before.

    In this process at once, in others within a second.
    """
    ids = [rule.pk for rule in rules]
    changing = Rule.objects.filter(id__in=ids, builtin=False, enabled=not enabled).order_by("id")
    changed = list(changing.select_for_update())
    Rule.objects.filter(id__in=[rule.pk for rule in changed]).update(
        enabled=enabled,
        updated=timezone.now(),  # as save() would: verify asks since when a rule is as it is
    )
    for rule in changed:
        what = "rule.enabled" if enabled else "rule.disabled"
        staff.note(rule.game_id, what, by, rule=rule.slug, reason=reason)
        transaction.on_commit(partial(rulebook.forget, rule.game_id))
    return len(changed)


@transaction.atomic
def restore(revision: RuleRevision, author: Any) -> RuleRevision:
    """Bring a rule back to how it was at a revision, as a new revision; whether it is enabled stays.

    Raises:
        RuleInvalid: this version of Clarion does not take that definition any more.
    """
    rule = Rule.objects.select_for_update().get(pk=revision.rule_id)
    definition = revision.definition
    for name, value in _fields(definition).items():
        setattr(rule, name, value)
    rule.save()
    rule.templates.all().delete()
    RuleTemplate.objects.bulk_create(
        RuleTemplate(rule=rule, locale=locale, title=words["title"], body=words.get("body", ""))
        for locale, words in definition["templates"].items()
    )
    return save(rule, author)[0]


def _fields(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule's columns from its definition: the way back from ``rulebook.snapshot``."""
    audience = definition["audience"]
    named = "players" in audience
    return {
        "event_type": definition["event_type"],
        "condition": definition["condition"],
        "audience_kind": AudienceKind.PLAYERS if named else AudienceKind.PATH,
        **({"audience_players": audience["players"]} if named else {"audience_path": audience["path"]}),
        "notification_class": definition["class"],
        "category": definition["category"],
        "ttl_s": definition["ttl_s"],
        "default_locale": definition["default_locale"],
        "channels": definition.get("channels", []),
    }
