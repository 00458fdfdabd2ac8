"""A dry run's samples in words: decided again when they are looked at, so that nothing is kept of them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from events.log.read import one
from events.models import Replay
from notifications import rulebook
from notifications.decisions.projection import matter_of
from notifications.models import RuleRevision
from notifications.replays.judging import is_readable, judged, views_of


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one player would get now."""

    player: str
    event_pk: int
    title: str = ""
    body: str = ""
    because: str = ""  # why they would get nothing any more


def sample_of(replay: Replay, event_pk: int, player: str) -> Sample:
    """Return what a player would get for an event if it were decided now."""
    event = one(event_pk)
    if event is None or not is_readable(event):
        return Sample(player=player, event_pk=event_pk, because="the event's payload is no longer there")
    now = datetime.now(UTC)
    rule = rulebook.compiled(RuleRevision.objects.get(pk=replay.options["revision"]))
    matter = matter_of(event, [rule], now)
    views = views_of(replay.game_id, [matter])
    for each, found in matter.found:
        for decision in judged(each, matter, found, views, now):
            if decision.player == player and decision.content is not None:
                words = decision.content
                return Sample(player=player, event_pk=event_pk, title=words.title, body=words.body)
            if decision.player == player:
                return Sample(player=player, event_pk=event_pk, because=decision.reason)
    return Sample(player=player, event_pk=event_pk, because="the rule no longer reaches them")
