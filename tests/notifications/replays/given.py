"""How tests bring about what a rule has missed, and have it decided."""

from typing import Any

from events.models import Event, Game, Replay
from notifications import fanout
from notifications.models import Rule
from notifications.replays import missed
from tests.events.replays.given import worked_off
from tests.given import hubs_catch_up
from tests.notifications.given import given_levels, given_rule


def given_missed(game: Game, *levels: int, keys: tuple[str, ...] = ("alice",), **rule: Any) -> Rule:
    """Let players reach levels, the hub pass them, and only then make the rule."""
    for key in keys:
        given_levels(game, *(levels or (1, 2, 3)), key=key)
    hubs_catch_up(["decisions"])
    return given_rule(game, **rule)


def tried(rule: Rule, **fields: Any) -> Replay:
    """Make a dry run, and return it as it is then."""
    asked = {"begins": "", "ends": "", "by": "olive", "reason": "made late", **fields}
    return worked_off(missed.start_trial(Rule.objects.get(pk=rule.pk), **asked))


def given_real(rule: Rule, **fields: Any) -> Replay:
    """Begin the real thing after a dry run; nobody has worked on it yet."""
    return missed.start_for_real(tried(rule, **fields), by="olive", reason="they should know")


def made_up_for(rule: Rule, **fields: Any) -> Replay:
    """Decide what a rule has missed, large audiences included."""
    replay = worked_off(given_real(rule, **fields))
    for _ in range(60):
        if not fanout.work_for(1):
            return replay
    raise AssertionError("some audience never ends")


def outcomes(replay: Replay) -> dict[str, int]:
    """Return what a replay has counted by outcome."""
    return dict(replay.result.get("counts", {}).get("outcomes", {}))


def left(replay: Replay) -> dict[str, int]:
    """Return what a replay has counted as not to be decided, without the zeros."""
    return {name: count for name, count in replay.result.get("counts", {}).get("left", {}).items() if count}


def last_offset(game: Game) -> int:
    """Return the newest event's offset in a game of one partition."""
    return Event.objects.filter(game=game).order_by("-offset").values_list("offset", flat=True)[0]
