"""What a player is shown: in time or not at all, and in the nearest of their languages."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from events.models import Game
from tests.given import given_game
from tests.notifications.given import (
    Pushes,
    counters,
    decide,
    decisions,
    given_levels,
    given_rule,
    notifications,
)
from tests.players.people import given_updates

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def game() -> Game:
    return given_game(partitions=2)


@pytest.mark.parametrize(
    ("ends_s", "age_s", "sent"),
    [
        ((60, None), 59, True),
        ((60, None), 60, False),
        ((None, 30), 29, True),
        ((None, 30), 30, False),
        ((60, 30), 40, False),
        ((30, 60), 40, False),
    ],
)
def test_what_comes_too_late_is_suppressed_and_never_shown(
    game: Game, pushes: Pushes, ends_s: tuple[int | None, int | None], age_s: int, sent: bool
) -> None:
    """The rule ends it so many seconds after the event, the event itself after so many."""
    ttl_s, expires_s = ends_s
    given_rule(game, ttl_s=ttl_s)
    with time_machine.travel(NOON, tick=False):
        given_levels(game, 7, expires=NOON + timedelta(seconds=expires_s) if expires_s else None)
    with time_machine.travel(NOON + timedelta(seconds=age_s), tick=False):
        decide()
    (made,) = decisions(game)
    assert made.outcome == ("sent" if sent else "suppressed")
    assert made.gates[-1]["name"] == "expiry"
    assert made.gates[-1].get("reason") == (None if sent else "expired")
    assert len(notifications(game)) == len(pushes.changes) == counters(game)[0] == sent


def test_something_live_without_an_end_is_a_failure(game: Game) -> None:
    given_rule(game, notification_class="live")
    given_levels(game, 7)
    decide()
    (made,) = decisions(game)
    assert (made.outcome, made.gates[-1]["reason"]) == ("failed", "no_expiry")


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("pt-BR", "oi"),
        ("pt-PT", "olá"),
        ("zh-Hant-TW", "你好 Hant"),
        ("zh-Hant-HK", "你好 Hant"),
        ("zh-Hans", "你好"),
        ("fr", "guten Tag"),
        ("", "guten Tag"),
    ],
)
def test_words_come_in_the_nearest_locale(game: Game, locale: str, title: str) -> None:
    words = {"de": "guten Tag", "pt": "olá", "pt-BR": "oi", "zh": "你好", "zh-Hant": "你好 Hant"}
    given_rule(game, default_locale="de", words={each: (text, "") for each, text in words.items()})
    if locale:
        given_updates(game, "alice", {"locale": locale})
    given_levels(game, 7)
    decide()
    assert [row.title for row in notifications(game)] == [title]
