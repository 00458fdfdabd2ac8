"""The dry run: what one rule would decide about what it has missed."""

from collections.abc import Sequence
from datetime import UTC, datetime

from events.models import Replay
from notifications.decisions.projection import Matter, matter_of
from notifications.decisions.writing import decided
from notifications.engine import CompiledRule, Decision
from notifications.models import FanOut
from notifications.replays.judging import judged, views_of
from notifications.replays.page import Page, count_left, left_out
from notifications.replays.tally import Tally

JUDGED = 2_000
"""A step judges about so many players, outside any transaction."""


def judge(replay: Replay, rule: CompiledRule, page: Page) -> Page:
    """Count what would come of the page's events, or of as many as a step may take."""
    now, left = datetime.now(UTC), left_out(page)
    matters, players = [], 0
    for count, event in enumerate(page.events, 1):
        if event.id not in left:
            matters.append(matter_of(event, [rule], now))
            players += sum(len(found.players) for _, found in matters[-1].found)
        if players >= JUDGED:
            page = page.upto(count)
            break
    count_left(page, left)
    _count_judged(replay, page.tally, matters, now)
    return page


def _count_judged(replay: Replay, tally: Tally, matters: Sequence[Matter], now: datetime) -> None:
    views = views_of(replay.game_id, matters)
    known = decided(matter.event.id for matter in matters)
    paged = _paged_before(replay, matters)
    for matter in matters:
        for rule, found in matter.found:
            if not found.players and found.record is None:
                tally.count("left", "condition false")
            for decision in judged(rule, matter, found, views, now):
                key = (matter.event.id, rule.rule_id, decision.player)
                if key in known or (decision.player and matter.event.id in paged):
                    tally.count("left", "already decided")
                else:
                    _count_one(tally, matter, decision)


def _count_one(tally: Tally, matter: Matter, decision: Decision) -> None:
    tally.count("outcomes", decision.outcome)
    if decision.reason:
        tally.count("reasons", decision.reason)
    if decision.content is not None:
        tally.meet([decision.player])
        tally.sample("sent", matter.event.id, decision.player)


def _paged_before(replay: Replay, matters: Sequence[Matter]) -> set[int]:
    """Return the events whose large audience this revision has found before: its pages stay as they are."""
    events = [matter.event.id for matter in matters]
    rows = FanOut.objects.filter(event_id__in=events, revision_id=replay.options["revision"])
    return set(rows.values_list("event_id", flat=True))
