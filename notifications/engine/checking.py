"""Trying a rule before it is saved: does it fit the sample, and what would players see. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from notifications.engine.audiences import PlayersAt
from notifications.engine.content import Templates
from notifications.engine.deciding import audience, decide
from notifications.engine.errors import RuleInvalid
from notifications.engine.outcomes import Content, Decision, GateResult, NotificationClass, Outcome
from notifications.engine.paths import PathMissing, parse_path
from notifications.engine.rules import CompiledRule, compile_rule
from notifications.engine.templates import RenderFailed
from notifications.engine.views import EventView, PlayerState, PlayerView

Problem = tuple[str, str]  # field, message


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a rule would do with a sample."""

    decision: Decision  # for the player asked about
    contents: Mapping[str, Content]  # by locale of the rule; '' for posted content
    problems: tuple[Problem, ...]  # what could not be shown


def check(definition: Mapping[str, Any], sample: EventView) -> list[Problem]:
    """Check a rule's definition by itself and against a sample of its event type.

    Returns:
        (field, message) for each problem; empty when the rule may be saved. Fields are
        the definition's, such as ``condition`` or ``templates.pt-BR.title``.
    """
    try:
        rule = compile_rule(definition)
    except RuleInvalid as invalid:
        return invalid.problems
    return check_compiled(rule, sample)


def check_compiled(rule: CompiledRule, sample: EventView) -> list[Problem]:
    """Check a compiled rule against a sample of its event type."""
    checks = (_condition_problems, _audience_problems, _expiry_problems, _text_problems)
    return [problem for problems in checks for problem in problems(rule, sample)]


def preview(
    definition: Mapping[str, Any],
    sample: EventView,
    player: PlayerView,
    now: datetime,
    state: PlayerState | None = None,
) -> Preview:
    """Decide about a sample for one player, and render it in every locale of the rule.

    The decision is the true one: a player outside of the sample's audience is told so.

    Raises:
        RuleInvalid: the definition cannot be compiled.
    """
    rule = compile_rule(definition)
    contents: dict[str, Content] = {}
    problems: list[Problem] = []
    for locale in _locales(rule):
        try:
            contents[locale] = _rendered(rule, sample, player, locale)
        except RenderFailed as failed:
            problems.append((f"templates.{locale}", str(failed)))
    decision = decide(rule, sample, player, state or PlayerState(), now)
    return Preview(decision=decision, contents=contents, problems=tuple(problems))


def _rendered(rule: CompiledRule, sample: EventView, player: PlayerView, locale: str) -> Content:
    from_there = replace(player, locale=locale or player.locale)
    return rule.content.render(sample, from_there, sample.expires)


def _locales(rule: CompiledRule) -> list[str]:
    return list(rule.content.texts) if isinstance(rule.content, Templates) else [""]


def _condition_problems(rule: CompiledRule, sample: EventView) -> Iterator[Problem]:
    if rule.condition is None:
        return
    absent = list(_absent(rule.condition.paths, sample))
    for path in absent:
        yield "condition", f"{path} is not in the sample; add it there, or ask has() first"
    result = rule.condition.judge(sample)
    if result.error and not absent:
        yield "condition", f"fails on the sample: {_detail(result)}"


def _absent(paths: list[str], sample: EventView) -> Iterator[str]:
    for path in paths:
        try:
            parse_path(path).find(sample)
        except PathMissing as missing:
            yield missing.place


def _audience_problems(rule: CompiledRule, sample: EventView) -> Iterator[Problem]:
    if isinstance(rule.audience, PlayersAt):
        found = rule.audience.find(sample)
        if found.gate.outcome is Outcome.FAILED:
            yield "audience", f"on the sample, {_detail(found.gate)}"
        elif found.rejected:
            yield "audience", f"the sample has {found.rejected} at {rule.audience.path.text}"


def _detail(result: GateResult) -> str:
    return result.error.partition(": ")[2]


def _expiry_problems(rule: CompiledRule, sample: EventView) -> Iterator[Problem]:
    live = isinstance(rule.content, Templates) and rule.content.class_ is NotificationClass.LIVE
    if live and rule.ttl_s is None and sample.expires is None:
        yield "ttl_s", "class live needs seconds to live"


def _text_problems(rule: CompiledRule, sample: EventView) -> Iterator[Problem]:
    player = PlayerView(key="sample", display_name="Sample")
    for locale in _locales(rule):
        field = f"templates.{locale}" if locale else "event_type"
        try:
            content = _rendered(rule, sample, player, locale)
        except RenderFailed as failed:
            yield field, f"on the sample, {failed}"
            continue
        for note in content.notes:
            # attributes differ from player to player: their absence is no mistake of the rule
            if ": player.attributes" not in note:
                yield field, f"on the sample, {note}"
        if not content.title:
            yield f"{field}.title", "is empty on the sample"


def reaches(rule: CompiledRule, sample: EventView, now: datetime) -> tuple[str, ...]:
    """Return the players whom a rule addresses with a sample, for a preview's choice of player."""
    return audience(rule, sample, now).players
