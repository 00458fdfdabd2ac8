"""Deciding what was never decided: one rule, a part of the log, first as a dry run, then for real.

For real, the hub's own projection decides, under the checkpoint's lock, about events that
the hub has passed: so it never meets live at the same event, what was decided before stays,
and what comes after the checkpoint is left to live. ``now`` is the real one: what has
expired since is not shown.
"""

from dataclasses import replace

from django.db import transaction

from events.errors import ReplayRefused
from events.hubs.projection import AfterCommit
from events.models import Replay
from events.models.replays import ReplayState
from events.replays import control, hold
from events.replays.job import Job, Stepped
from events.replays.places import bounds_between, length, reached, spot_of
from events.replays.standing import hold_checkpoints
from notifications import rulebook
from notifications.engine import CompiledRule
from notifications.hubs import DECISIONS
from notifications.models import Rule, RuleRevision
from notifications.replays.late import LateDecisions
from notifications.replays.page import Page, count_left, go_on, left_out, next_page, too_old
from notifications.replays.trial import judge

KIND = "missed"
OVER = (ReplayState.CANCELLED, ReplayState.FAILED)


class DecideMissed(Job):
    """What one rule would have decided, had it been there."""

    kind = KIND
    title = "Decide what was missed"

    def begin(self, replay: Replay) -> None:
        """Find the part of each partition that the decisions hub has passed; the dry run's, for real."""
        if replay.trial:
            reach = reached(DECISIONS.name, replay.game_id)
            begins, ends = spot_of(replay.begins, "begins"), spot_of(replay.ends, "ends")
            replay.bounds = bounds_between(replay.game_id, begins, ends, reach)
        replay.total = length(replay.bounds)

    def prepare(self, replay: Replay) -> Page | None:
        """Read the next events; judge them in a dry run, prepare them for real."""
        rule = _rule(replay)
        page = next_page(replay, rule.event_type)
        if page is None:
            return None
        return judge(replay, rule, page) if replay.trial else _prepare(replay, rule, page)

    def work(self, replay: Replay, prepared: Page | None) -> Stepped:
        """Note what was judged, or decide."""
        if prepared is None:
            return Stepped(read=0, over=True)
        after = since = None
        if prepared.projection is not None:
            if not Rule.objects.filter(pk=replay.options["rule"], enabled=True).exists():
                control.pause_itself(replay, "the rule was switched off")
                return Stepped(read=0, over=False)
            old = too_old(replace(prepared, events=prepared.decided), hold=True)
            streams = {event.stream for event in prepared.decided}
            standing = hold_checkpoints(DECISIONS, prepared.partition_id, streams)
            since = hold.clock()
            if old or not all(map(standing.has_applied, prepared.decided)):
                return Stepped(read=1, over=False)  # parked, skipped or set back meanwhile: look again
            after = _decide(prepared)
        replay.events += len(prepared.events)
        replay.result = {**replay.result, **prepared.tally.stored()}
        go_on(replay, prepared)
        return Stepped(read=max(1, len(prepared.events)), over=False, after_commit=after, held_since=since)


def start_trial(
    rule: Rule, *, begins: str, ends: str, by: str, reason: str, rate_limit: int | None = None
) -> Replay:
    """Count what a rule would decide about what it has missed; writes no decision.

    Raises:
        ReplayRefused: the part of the log is none, or the rule has never been saved.
    """
    if rule.revision is None:
        raise ReplayRefused("the rule has no revision yet: save it first")
    options = {"rule": rule.pk, "revision": rule.revision.pk, "type": rule.event_type}
    return control.start(
        KIND, rule.game, target=rule.slug, trial=True, begins=begins, ends=ends, by=by, reason=reason,
        rate_limit=rate_limit, options=options,
    )  # fmt: skip


@transaction.atomic
def start_for_real(trial: Replay, *, by: str, reason: str, rate_limit: int | None = None) -> Replay:
    """Decide what a dry run has counted: the same rule at the same revision, the same part of the log.

    Raises:
        ReplayRefused: the dry run is not over, the rule has changed or is switched off, or it was done before.
    """
    trial = Replay.objects.select_for_update().get(pk=trial.pk)
    rule = Rule.objects.select_related("game", "revision").get(pk=trial.options["rule"])
    if problem := problem_with(trial, rule):
        raise ReplayRefused(problem)
    options = {**trial.options, "trial": trial.pk}
    return control.start(
        KIND, rule.game, target=rule.slug, begins=trial.begins, ends=trial.ends, by=by, reason=reason,
        rate_limit=rate_limit, options=options, bounds=trial.bounds,
    )  # fmt: skip


def problem_with(trial: Replay, rule: Rule) -> str:
    """Say why a dry run cannot be followed by the real thing; nothing if it can."""
    if trial.kind != KIND or not trial.trial or trial.state != ReplayState.DONE:
        return "only a dry run that is done can be decided for real"
    if rule.revision_id != trial.options["revision"]:
        return "the rule was changed since the dry run: make another one first"
    if not rule.enabled:
        return "the rule is switched off: switch it on first"
    begun = for_real(trial)
    if begun is not None:
        return f"this was begun before, as replay {begun.pk}"
    return ""


def for_real(trial: Replay) -> Replay | None:
    """Return the replay that decides what a dry run has counted, if one was begun and not given up."""
    rows = Replay.objects.filter(game_id=trial.game_id, kind=KIND, trial=False, options__trial=trial.pk)
    return rows.exclude(state__in=OVER).first()


def _rule(replay: Replay) -> CompiledRule:
    return rulebook.compiled(RuleRevision.objects.get(pk=replay.options["revision"]))


def _prepare(replay: Replay, rule: CompiledRule, page: Page) -> Page:
    """Prepare as many events as fit into one transaction, as the hub does."""
    projection, left = LateDecisions(rule, replay.pk), left_out(page)
    events = [event for event in page.events if event.id not in left]
    if events:
        prepared = projection.prepare(events)
        if prepared.take < len(events):
            page = page.upto(page.events.index(events[prepared.take]))
        decidable = events[: prepared.take]
        page = replace(page, decided=decidable, projection=projection, prepared=prepared)
    count_left(page, left)
    return page


def _decide(page: Page) -> AfterCommit | None:
    """Decide by the hub's own projection, with all locked that it needs; return the push."""
    assert DECISIONS.lock
    assert page.projection
    assert page.prepared
    DECISIONS.lock(page.prepared.locks)
    after = page.projection.apply(page.decided, page.prepared)
    writer = page.projection.writer
    assert writer
    for row in writer.decisions:
        page.tally.count("outcomes", row.outcome)
        if row.notification_uid:
            page.tally.meet([row.player_key])
    page.tally.count("left", "already decided", writer.repeated)
    page.tally.count("left", "to pages", writer.left_to_pages)
    return after
