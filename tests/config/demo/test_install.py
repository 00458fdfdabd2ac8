"""The demo game is made once, completely, and never against staff's will."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config.demo.catalogue import PLAYERS, TYPES, DemoType
from config.demo.install import install
from events import keys, log
from events.lanes import Lane
from events.models import ApiKey, Event, EventType, Game
from notifications import rulebook
from notifications.engine import compile_rule
from notifications.models import Decision, Notification, Rule, RuleRevision, RuleTemplate
from players.models import Profile
from players.profiles import normalise_locale
from players.zones import normalise_zone
from tests.given import an_event, given_events, hubs_catch_up
from tests.players.people import given_updates

pytestmark = pytest.mark.django_db(transaction=True)
with_demo = pytest.mark.usefixtures("game")
ALL = [pytest.param(kind, id=kind.name) for kind in TYPES]


@pytest.fixture
def game(settings: Any) -> Game:
    settings.CLARION_DEMO_KEY = "clk_the-demos-own-key"
    return install()


def test_the_types_of_the_issue_are_there_in_their_lanes(game: Game) -> None:
    lanes = dict(EventType.objects.filter(game=game).values_list("name", "lane"))
    assert lanes == {
        "guild.invite.received": Lane.NORMAL,
        "match.ready": Lane.URGENT,
        "level.reached": Lane.NORMAL,
        "gift.received": Lane.NORMAL,
        "friend.online": Lane.NORMAL,
        "maintenance.scheduled": Lane.BULK,
    }


def test_match_ready_lives_for_twenty_seconds_and_an_invitation_for_ever(game: Game) -> None:
    rules = dict(Rule.objects.filter(game=game).values_list("event_type", "ttl_s"))
    assert rules["match.ready"] == 20
    assert rules["guild.invite.received"] is None


@pytest.mark.parametrize("kind", ALL)
def test_each_rule_holds_for_the_sample_of_its_type(game: Game, kind: DemoType) -> None:
    event_type = EventType.objects.get(game=game, name=kind.name)
    given_events(game, an_event(type=kind.name, data=event_type.sample), lane=kind.lane)
    hubs_catch_up()
    decisions = Decision.objects.filter(game=game, rule__slug=kind.rule_slug)
    assert {decision.outcome for decision in decisions} == {"sent"}


@pytest.mark.parametrize("kind", ALL)
def test_every_rule_has_words_for_every_players_language(game: Game, kind: DemoType) -> None:
    spoken = {normalise_locale(player.locale).partition("-")[0] for player in PLAYERS}
    assert {locale.partition("-")[0] for locale in kind.words} >= spoken
    rule = Rule.objects.get(game=game, slug=kind.rule_slug)
    assert rule.revision is not None
    assert compile_rule(rule.revision.definition).event_type == kind.name


def test_players_are_told_in_their_own_language(game: Game) -> None:
    players = [player.key for player in PLAYERS]
    given_events(
        game,
        *(an_event(type="friend.online", data={"player_id": key, "friend": "Ayo"}) for key in players),
    )
    hubs_catch_up()
    told = dict(Notification.objects.filter(game=game).values_list("player__key", "title"))
    assert told == {
        "alice": "Ayo is online",
        "bruno": "Ayo está online",
        "chiyo": "Ayoさんがオンラインです",
        "dieter": "Ayo ist online",
        "eunji": "Ayo 님이 접속했습니다",
    }


def test_players_are_introduced_once_with_zones_that_exist(game: Game) -> None:
    install()
    hubs_catch_up()
    profiles = Profile.objects.filter(player__game=game)
    assert sorted(profiles.values_list("player__key", "locale", "timezone", "display_name", "revision")) == [
        (player.key, normalise_locale(player.locale), normalise_zone(player.timezone), player.name, 1)
        for player in PLAYERS
    ]


def test_a_thousand_invitations_to_one_player_are_a_thousand_notifications(game: Game) -> None:
    invitation = {"player_id": "alice", "guild": "Night Owls", "from": "Mirela"}
    for _ in range(10):
        given_events(
            game,
            *(an_event(type="guild.invite.received", stream="alice", data=invitation) for _ in range(100)),
        )
    hubs_catch_up()
    assert Notification.objects.filter(game=game, player__key="alice").count() == 1000


def test_a_second_start_adds_nothing(game: Game) -> None:
    def counts() -> list[int]:
        tables = (Game, EventType, Rule, RuleTemplate, RuleRevision, ApiKey, Event)
        return [table._default_manager.count() for table in tables]

    before = counts()
    assert install() == game
    assert counts() == before


def test_what_staff_have_changed_stays_as_they_left_it(game: Game) -> None:
    rule = Rule.objects.get(game=game, slug="match-ready")
    rule.enabled, rule.ttl_s = False, 45
    rule.save()
    rule.templates.filter(locale="en").update(title="Olive's words")
    rule.templates.filter(locale="ko").delete()
    revision = rulebook.save_revision(rule)
    EventType.objects.filter(game=game, name="level.reached").update(lane=Lane.BULK, schema=None)
    keys.revoke(ApiKey.objects.filter(game=game))
    given_updates(game, "alice", {"locale": "de"})
    install()
    hubs_catch_up()
    rule.refresh_from_db()
    assert (rule.enabled, rule.ttl_s, rule.revision) == (False, 45, revision)
    assert set(rule.templates.values_list("locale", flat=True)) == {"en", "de", "pt-BR", "ja"}
    assert rule.templates.get(locale="en").title == "Olive's words"
    level = EventType.objects.get(game=game, name="level.reached")
    assert (level.lane, level.schema) == (Lane.BULK, None)
    assert not ApiKey.objects.filter(game=game, revoked=None).exists()
    assert Profile.objects.get(player__game=game, player__key="alice").locale == "de"


def test_a_type_that_is_missing_comes_back_whole(game: Game) -> None:
    EventType.objects.get(game=game, name="gift.received").delete()
    install()
    found = EventType.objects.get(game=game, name="gift.received")
    assert (found.lane, found.schema["required"]) == (Lane.NORMAL, ["player_id", "from", "gift"])


@with_demo
def test_the_demos_key_may_post_events_and_nothing_else(settings: Any) -> None:
    caller = keys.verify(f"Bearer {settings.CLARION_DEMO_KEY}")
    assert (caller.game, caller.scopes) == ("demo", {"events:write"})


def test_another_game_gets_the_rules_and_no_key(settings: Any) -> None:
    settings.CLARION_DEMO_KEY = "clk_the-demos-own-key"
    other = install("loadtest")
    assert not ApiKey.objects.exists()
    assert Rule.objects.filter(game=other, builtin=False).count() == len(TYPES)
    place = given_events(
        other,
        an_event(type="guild.invite.received", data={"player_id": "load-0", "guild": "g", "from": "f"}),
    )[0]
    hubs_catch_up()
    assert isinstance(place, log.Appended)
    assert Notification.objects.get(game=other).player.key == "load-0"


def test_expiry_is_counted_from_the_event(game: Game) -> None:
    event = an_event(type="match.ready", data={"player_id": "alice", "map": "Ember Pass"})
    given_events(game, event, lane=Lane.URGENT)
    hubs_catch_up()
    assert event.time is not None
    assert Notification.objects.get(game=game).expires == event.time + timedelta(seconds=20)


def test_the_command_installs_and_says_what_comes_next(settings: Any) -> None:
    settings.CLARION_DEMO = False
    said = StringIO()
    call_command("installdemo", stderr=said)
    call_command("installdemo", "loadtest", stderr=said)
    assert set(Game.objects.values_list("slug", flat=True)) == {"demo", "loadtest"}
    assert "/play/ needs CLARION_DEMO=1" in said.getvalue()
    assert "manage.py apikey loadtest" in said.getvalue()


def test_the_command_refuses_a_name_that_is_no_slug() -> None:
    with pytest.raises(CommandError, match="is no slug"):
        call_command("installdemo", "no slug!")
    assert not Game.objects.exists()
