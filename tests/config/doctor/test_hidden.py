"""What the doctor leaves behind is in nobody's way: the console's lists leave its game out, unless it is asked for."""

from typing import Any

import pytest
from django.urls import reverse

from config.doctor.road import checks, game
from events.models import Game
from tests.config.doctor.conftest import looked
from tests.given import an_event, given_events, given_game
from tests.staff import Console, olive, text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def console(decided_at_once: None) -> Console:  # noqa: ARG001 - while it runs
    """Olive's console, after a doctor has run."""
    looked(checks.Road())
    with game.key(game.install()):
        pass
    return olive()


@pytest.mark.parametrize(
    "model",
    [
        "events_game", "events_eventtype", "events_apikey", "events_retention", "events_event", "players_player",
        "players_tokenkey", "notifications_rule", "notifications_decision", "notifications_notification",
    ],
)  # fmt: skip
def test_no_list_shows_what_is_the_doctor_s(console: Console, model: str) -> None:
    assert console.rows(model) == []


def test_what_is_somebody_s_is_shown_and_the_doctor_s_events_are_there_for_who_asks(console: Console) -> None:
    theirs = given_game("alpha")
    given_events(theirs, an_event())
    assert [row.game_id for row in console.rows("events_event")] == [theirs.pk]
    assert [row.slug for row in console.rows("events_game")] == ["alpha"]
    own: Any = Game.objects.get(slug=game.SLUG)
    asked = console.rows("events_event", game__id__exact=own.pk)
    assert [row.type for row in asked] == [game.TYPE]


@pytest.mark.parametrize(
    "page",
    [
        "events_event_changelist", "events_checkpoint_changelist", "events_alarm_changelist",
        "players_player_changelist", "notifications_rule_changelist", "notifications_rule_add", "events_apikey_add",
        "events_alarmrecipient_add", "events_replay_add", "notifications_webhookendpoint_add",
    ],
)  # fmt: skip
def test_no_page_offers_the_doctor_s_game(console: Console, page: str) -> None:
    given_game("alpha")
    given_game("beta")  # of one alone there is nothing to choose
    said = text(console.get(reverse(f"admin:{page}")))
    assert "alpha" in said
    assert str(Game.objects.get(slug=game.SLUG)) not in said
