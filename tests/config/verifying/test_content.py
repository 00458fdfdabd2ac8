"""What Clarion itself takes away, skips, makes anew or renews is no corruption: ``manage.py verify`` finds nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from events import erasing, outbox
from events.hubs.letters import work as letters
from events.hubs.letters.skipping import skip_one
from events.hubs.projection import AfterCommit, Prepared
from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.models import DeadLetter, Event, Game, Retention, Sweep
from events.retention import exporting, leftovers, payloads, sweeping
from notifications.decisions.projection import Decisions
from notifications.models import Decision, Notification
from players import forgetting
from players.erasing import erase
from players.models import ProfileRevision
from tests.config.verifying.given import given_busy_game, verify
from tests.events.replays.given import rebuilt
from tests.given import an_event, given_events, hubs_catch_up
from tests.notifications.given import decide, given_levels, given_rule, player
from tests.notifications.replays.given import made_up_for
from tests.players.people import given_updates

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def game() -> Game:
    payloads.forget()
    return given_busy_game()


def content(game: Game) -> None:
    code, said = verify(game.slug)
    assert code == 0, said


def later(days: float) -> time_machine.travel:
    return time_machine.travel(NOW + days * DAY, tick=True)


def swept() -> None:
    """Let every sweep work until it rests."""
    sweeping.make_missing()
    Sweep.objects.update(due=NOW)
    for pk in Sweep.objects.exclude(name=payloads.EXPORT).order_by("pk").values_list("pk", flat=True):
        while sweeping.sweep_once(pk):
            pass


def full(game: Game) -> int:
    return Event.objects.filter(game=game, data__isnull=False).count()


def test_single_payloads_erased_by_staff(game: Game) -> None:
    profile = Event.objects.get(game=game, stream="alice", version=1)
    level = Event.objects.get(game=game, stream="carol", version=4)
    assert erasing.erase([profile.pk, level.pk], "olive", "a rude name") == 2
    hubs_catch_up()
    content(game)


def test_a_player_forgotten_with_all_that_was_said_about_them(game: Game) -> None:
    erase(player(game, "alice"))
    hubs_catch_up()
    while forgetting.step():
        pass
    assert not Event.objects.filter(game=game, stream="alice", data__isnull=False).exists()
    content(game)


def test_a_player_who_is_just_being_forgotten(game: Game) -> None:
    erase(player(game, "alice"))
    content(game)  # the log does not know of it yet
    outbox.flush()
    content(game)  # no hub has been there yet
    hubs_catch_up()
    content(game)
    assert not Notification.objects.filter(game=game, player__key="alice").exists()


def test_retention_by_age_of_everything_that_has_an_age(game: Game) -> None:
    before = full(game)
    Retention.objects.create(
        game=game, payload_days=30, notification_days=30, decision_days=30, profile_days=30
    )
    for days in (40, 50):  # rows go a week after they have left inboxes
        with later(days):
            swept()
            hubs_catch_up()
    assert full(game) < before
    assert not Notification.objects.filter(game=game).exists()
    assert not Decision.objects.filter(game=game).exists()
    assert ProfileRevision.objects.filter(player__game=game).count() == 2
    content(game)
    with later(60):
        given_levels(game, 7, 8, key="alice")
        given_updates(game, "carol", {"locale": "fr"})
        hubs_catch_up()
    content(game)


def test_retention_by_number(game: Game) -> None:
    before = full(game), Notification.objects.filter(game=game).count()
    Retention.objects.create(game=game, payloads=3, notifications=1)
    for days in (1, 9):
        with later(days):
            swept()
    assert full(game) < before[0]
    assert Notification.objects.filter(game=game).count() < before[1]
    content(game)


def test_payloads_that_went_into_files_first(game: Game, settings: Any, tmp_path: Path) -> None:
    settings.CLARION_EXPORT = str(tmp_path)
    before = full(game)
    Retention.objects.create(game=game, payload_days=30, export=True)
    with later(40):
        sweeping.make_missing()
        swept()
        assert full(game) == before
        assert exporting.export_once(Sweep.objects.get(name=payloads.EXPORT))
        swept()
    assert full(game) < before
    content(game)
    call_command("verifyexport", *(str(path) for path in tmp_path.rglob("*.ndjson.gz")))


def test_a_fold_made_anew_also_after_its_history_was_let_go(game: Game) -> None:
    assert rebuilt(game).differing == 0
    content(game)
    Retention.objects.create(game=game, profile_days=30)
    with later(40):
        swept()
        assert ProfileRevision.objects.filter(player__game=game).count() == 2
        assert rebuilt(game).differing > 0
        content(game)
        swept()
        content(game)


def test_what_a_rule_has_missed_and_was_decided_late(game: Game) -> None:
    rule = given_rule(game, slug="late", event_type="level.reached")
    replay = made_up_for(rule)
    assert replay.events > 0
    content(game)


def test_a_dead_letter_that_was_skipped_also_when_it_is_long_forgotten(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, level=13)
    with time_machine.travel(NOW + timedelta(minutes=1), tick=True):  # the rules have settled by then
        given_levels(game, 12, 13, 14, key="carol")
        given_levels(game, 12, key="alice")
        hubs_catch_up()
        letter = DeadLetter.objects.get()
        content(game)
        skip_one(letter, version=letter.version, by="olive", reason="broken data")
        letters.work_for(60)
        hubs_catch_up()
        assert not DeadLetter.objects.filter(resolved=None).exists()
        content(game)
    with later(200):
        while leftovers.sweep_for(60):
            pass
        content(game)


def test_an_epoch_that_was_renewed(game: Game) -> None:
    call_command("newepoch", game.slug, reason="a test")
    hubs_catch_up()
    content(game)
    given_levels(game, 9, key="alice")
    decide()
    content(game)


def test_one_thing_after_another(game: Game, settings: Any, tmp_path: Path) -> None:
    """All of it in one game, with life in between."""
    settings.CLARION_EXPORT = str(tmp_path)
    test_single_payloads_erased_by_staff(game)
    test_a_player_forgotten_with_all_that_was_said_about_them(game)
    call_command("newepoch", game.slug, reason="a test")
    test_what_a_rule_has_missed_and_was_decided_late(game)
    test_payloads_that_went_into_files_first(game, settings, tmp_path)
    given_events(
        game, an_event(type="party.began", data={"players": ["dora", "carol"], "level": 1}), lane=Lane.BULK
    )
    decide()
    Retention.objects.filter(game=game).update(notifications=2, profile_days=30, decision_days=30)
    with later(60):
        swept()
        hubs_catch_up()
    assert rebuilt(game).broken == 0
    content(game)


def poison(monkeypatch: pytest.MonkeyPatch, *, level: int) -> None:
    """Let the decisions hub fail on every event of one level."""
    apply = Decisions.apply

    def failing(self: Decisions, events: Sequence[LoggedEvent], prepared: Prepared) -> AfterCommit | None:
        if any(f'"level":{level}' in (event.data or "") for event in events):
            raise ValueError("a level that nobody knows")
        return apply(self, events, prepared)

    monkeypatch.setattr(Decisions, "apply", failing)
