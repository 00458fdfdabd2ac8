"""Rules as deciding needs them: revisions saved, compiled, and remembered."""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Model

from notifications.engine import POSTED, CompiledRule, RuleInvalid, compile_rule
from notifications.models import Rule, RuleRevision
from notifications.models.rules import AudienceKind

CACHE_S = 1.0
"""A rule that staff save takes effect here at once, in other processes within a second."""
DIRECT = "clarion:direct"
"""The built-in rule of ``POST /api/v1/notifications``; no name that staff could give one of theirs."""

Rules = Mapping[str, Sequence[CompiledRule]]

log = structlog.get_logger(__name__)

_active: dict[int, tuple[float, Rules]] = {}
_compiled: dict[int, CompiledRule] = {}
_lock = threading.Lock()


def snapshot(rule: Rule, templates: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return a rule's definition as the engine reads it; ``templates`` maps locale to title and body."""
    audience: dict[str, Any] = {"path": rule.audience_path}
    if rule.audience_kind == AudienceKind.PLAYERS:
        audience = {"players": rule.audience_players}
    also = {"channels": rule.channels} if rule.channels else {}  # without: the revision that there is
    return {
        "event_type": rule.event_type,
        "condition": rule.condition,
        "audience": audience,
        "class": rule.notification_class,
        "category": rule.category,
        "ttl_s": rule.ttl_s,
        "default_locale": rule.default_locale,
        "templates": {locale: dict(words) for locale, words in templates.items()},
        **also,
    }


def templates_of(rule: Rule) -> dict[str, dict[str, str]]:
    """Return a saved rule's words by locale."""
    return {row.locale: {"title": row.title, "body": row.body} for row in rule.templates.all()}


@transaction.atomic
def save_revision(rule: Rule, author: Any = None) -> RuleRevision:
    """Make a revision of a rule as it is saved now, unless nothing has changed; return the current one.

    The rule's row is locked first: two who save at once would else give the same number.

    Raises:
        RuleInvalid: the definition cannot be compiled; nothing is saved.
    """
    list(Rule.objects.select_for_update(no_key=True).filter(pk=rule.pk).values_list("id"))
    definition = dict(POSTED) if rule.builtin else snapshot(rule, templates_of(rule))
    compile_rule(definition)
    transaction.on_commit(lambda: forget(rule.game_id))  # also when only ``enabled`` has changed
    current = RuleRevision.objects.filter(rule_id=rule.pk).order_by("-number").first()
    if current is not None and current.definition == definition:
        rule.revision = current
        return current
    revision = RuleRevision(
        rule=rule, number=(current.number if current else 0) + 1, definition=definition, author=author
    )
    Model.save(revision)  # append-only: this is the one place that appends
    rule.revision = revision
    rule.save(update_fields=["revision"])
    return revision


def ensure_direct(game_id: int) -> Rule:
    """Return a game's built-in rule for direct posts, made when missing."""
    rule, _ = Rule.objects.get_or_create(
        game_id=game_id,
        slug=DIRECT,
        defaults={
            "builtin": True,
            "event_type": POSTED["event_type"],
            "description": "Direct posts by the API.",
        },
    )
    if rule.revision_id is None:
        save_revision(rule)
    return rule


def active(game_id: int) -> Rules:
    """Return a game's enabled rules by event type, at most a second old."""
    entry = _active.get(game_id)
    if entry is not None and entry[0] >= time.monotonic():
        return entry[1]
    rows = Rule.objects.filter(game_id=game_id, enabled=True, revision__isnull=False).order_by("id")
    rules: dict[str, list[CompiledRule]] = defaultdict(list)
    for rule in rows.select_related("revision"):
        assert rule.revision is not None
        try:
            usable = compiled(rule.revision)
        except RuleInvalid:  # saved by another release: it must not stop the other rules
            log.exception("rule.unusable", rule=rule.pk, revision=rule.revision.pk)
            continue
        rules[usable.event_type].append(usable)
    with _lock:
        _active[game_id] = (time.monotonic() + CACHE_S, dict(rules))
    return rules


def compiled(revision: RuleRevision) -> CompiledRule:
    """Return a revision, compiled; revisions never change, so once per process."""
    known = _compiled.get(revision.pk)
    if known is None:
        known = compile_rule(revision.definition, rule_id=revision.rule_id, revision_id=revision.pk)
        with _lock:
            _compiled[revision.pk] = known
    return known


def forget(game_id: int | None = None) -> None:
    """Read a game's rules (or all, compiled ones too) again."""
    with _lock:
        if game_id is None:
            _active.clear()
            _compiled.clear()
        else:
            _active.pop(game_id, None)
