"""Rules as staff save them: revisions that never change, and what of them is active."""

from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from structlog.testing import capture_logs

from events.errors import AppendOnly
from events.models import Game
from notifications import rulebook
from notifications.engine import POSTED, RuleInvalid
from notifications.models import Rule, RuleRevision, RuleTemplate
from notifications.models.rules import AudienceKind
from tests.given import given_game
from tests.notifications.given import LEVEL, given_rule, saved_again

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE_S = 30


@pytest.fixture
def game() -> Game:
    return given_game()


def active_slugs(game: Game, event_type: str = LEVEL) -> list[str]:
    ids = [rule.rule_id for rule in rulebook.active(game.id).get(event_type, ())]
    slugs = dict(Rule.objects.values_list("id", "slug"))
    return [slugs[each] for each in ids]


# -- revisions ------------------------------------------------------------------------------------


def test_a_rule_s_definition_is_what_the_engine_reads(game: Game) -> None:
    rule = given_rule(
        game,
        condition="data.level >= 10",
        category="progress",
        notification_class="live",
        ttl_s=30,
        default_locale="de",
        words={"de": ("Stufe", "gut"), "pt-BR": ("Nível", "")},
    )
    assert rule.revision
    assert rule.revision.definition == {
        "event_type": LEVEL,
        "condition": "data.level >= 10",
        "audience": {"path": "data.player_id"},
        "class": "live",
        "category": "progress",
        "ttl_s": 30,
        "default_locale": "de",
        "templates": {"de": {"title": "Stufe", "body": "gut"}, "pt-BR": {"title": "Nível", "body": ""}},
    }


def test_a_list_of_players_is_an_audience(game: Game) -> None:
    rule = given_rule(game, audience_kind=AudienceKind.PLAYERS, audience_players=["olive", "alice"])
    assert rule.revision
    assert rule.revision.definition["audience"] == {"players": ["olive", "alice"]}


def test_each_change_is_a_revision_with_its_author(game: Game) -> None:
    olive = get_user_model().objects.create(username="olive")
    rule = given_rule(game)
    Rule.objects.filter(pk=rule.pk).update(category="other")
    rule.refresh_from_db()
    second = rulebook.save_revision(rule, olive)
    assert (second.number, second.author) == (2, olive)
    assert [row.number for row in rule.revisions.order_by("number")] == [1, 2]
    assert Rule.objects.get(pk=rule.pk).revision_id == second.pk


def test_a_changed_word_is_a_change(game: Game) -> None:
    rule = saved_again(given_rule(game), title="other")
    assert rule.revision
    assert rule.revision.number == 2


def test_saving_without_a_change_makes_no_revision(game: Game) -> None:
    rule = given_rule(game)
    first = rule.revision_id
    assert rulebook.save_revision(rule).pk == first
    assert saved_again(rule, description="for staff only").revision_id == first
    assert RuleRevision.objects.count() == 1


def test_going_back_is_a_revision_of_its_own(game: Game) -> None:
    rule = given_rule(game, category="one")
    for category in ("other", "one"):
        rule = saved_again(rule, category=category)
    assert [row.number for row in rule.revisions.order_by("number")] == [1, 2, 3]


@pytest.mark.parametrize(
    "fields",
    [
        {"condition": "data.level >="},
        {"audience_path": "player_id"},
        {"category": "with space"},
        {"default_locale": "fr"},
        {"ttl_s": 0},
        {"event_type": ""},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_rule_that_cannot_be_compiled_is_not_saved(game: Game, fields: dict[str, Any]) -> None:
    rule = given_rule(game)
    first = rule.revision_id
    with pytest.raises(RuleInvalid):
        saved_again(rule, **fields)
    assert Rule.objects.get(pk=rule.pk).revision_id == first
    assert RuleRevision.objects.count() == 1


def test_words_that_cannot_be_parsed_are_not_saved(game: Game) -> None:
    with pytest.raises(RuleInvalid):
        given_rule(game, words={"en": ("{{ data.level", "")})
    assert not RuleRevision.objects.exists()


def test_a_revision_is_never_changed(game: Game) -> None:
    revision = given_rule(game).revision
    assert revision
    with pytest.raises(AppendOnly):
        revision.save()
    with pytest.raises(AppendOnly):
        revision.delete()
    with pytest.raises(AppendOnly):
        RuleRevision.objects.update(number=7)


def test_two_who_save_at_once_get_two_numbers(game: Game) -> None:
    """Both have read revision 1 before either of them writes."""
    rule = given_rule(game)
    both, problems = Barrier(2), []

    def save(category: str) -> None:
        mine = Rule.objects.select_related("revision").get(pk=rule.pk)
        mine.category = category
        try:
            both.wait(PATIENCE_S)
            rulebook.save_revision(mine)
        except Exception as error:  # noqa: BLE001 - handed to the test
            problems.append(error)
        finally:
            connection.close()

    threads = [Thread(target=save, args=(category,)) for category in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert problems == []
    assert [row.number for row in RuleRevision.objects.order_by("number")] == [1, 2, 3]


# -- what is active -------------------------------------------------------------------------------


def test_only_enabled_rules_of_the_game_are_active_in_the_order_they_were_made(game: Game) -> None:
    for slug in ("b", "a"):
        given_rule(game, slug=slug)
    given_rule(game, slug="off", enabled=False)
    given_rule(game, slug="other-type", event_type="coin.found")
    given_rule(given_game(), slug="other-game")
    Rule.objects.create(game=game, slug="never-saved", event_type=LEVEL)
    assert active_slugs(game) == ["b", "a"]
    assert active_slugs(game, "coin.found") == ["other-type"]
    assert active_slugs(game, "nothing") == []


def test_the_type_of_the_revision_counts_not_that_of_an_edit_which_is_not_saved_yet(game: Game) -> None:
    rule = given_rule(game, slug="a")
    Rule.objects.filter(pk=rule.pk).update(event_type="coin.found")
    assert active_slugs(game) == ["a"]


def test_what_staff_save_is_active_here_at_once(game: Game) -> None:
    rule = given_rule(game, slug="a")
    assert active_slugs(game) == ["a"]
    rule = saved_again(rule, enabled=False)
    assert active_slugs(game) == []
    saved_again(rule, enabled=True)
    assert active_slugs(game) == ["a"]


def test_what_another_process_saves_is_active_within_a_second(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("notifications.rulebook.time.monotonic", lambda: now[0])
    given_rule(game, slug="a")
    assert active_slugs(game) == ["a"]
    Rule.objects.update(enabled=False)
    assert active_slugs(game) == ["a"]
    now[0] += rulebook.CACHE_S + 0.01
    assert active_slugs(game) == []


def test_remembered_rules_cost_no_query_and_revisions_are_compiled_once(game: Game) -> None:
    given_rule(game)
    first = rulebook.active(game.id)[LEVEL][0]
    with CaptureQueriesContext(connection) as queries:
        assert rulebook.active(game.id)[LEVEL][0] is first
    assert len(queries) == 0
    rulebook.forget(game.id)
    assert rulebook.active(game.id)[LEVEL][0] is first


def test_a_revision_that_cannot_be_used_any_more_is_left_out_and_logged(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, compiling = given_rule(game, slug="broken"), rulebook.compile_rule
    given_rule(game, slug="well")

    def compile_rule(definition: Any, **ids: int) -> Any:
        if ids["rule_id"] == broken.id:
            raise RuleInvalid([("condition", "is no CEL any more")])
        return compiling(definition, **ids)

    monkeypatch.setattr(rulebook, "compile_rule", compile_rule)
    rulebook.forget()
    with capture_logs() as logs:
        assert active_slugs(game) == ["well"]
    assert [(each["event"], each["rule"]) for each in logs] == [("rule.unusable", broken.id)]


# -- the built-in rule ----------------------------------------------------------------------------


def test_the_rule_of_direct_posts_is_made_once(game: Game) -> None:
    first, second = rulebook.ensure_direct(game.id), rulebook.ensure_direct(game.id)
    assert first == second
    assert first.builtin
    assert first.revision
    assert (first.revision.number, first.revision.definition) == (1, dict(POSTED))
    assert RuleRevision.objects.count() == 1


def test_no_rule_of_staff_s_can_take_its_place() -> None:
    """Its slug is one that a form refuses."""
    with pytest.raises(ValidationError, match="slug"):
        Rule._meta.get_field("slug").clean(rulebook.DIRECT, None)


def test_a_rule_that_is_saved_twice_at_first_keeps_one_revision(game: Game) -> None:
    """Two processes make it at the same time: the slower one still thinks that it has no revision."""
    slow = Rule.objects.get(pk=rulebook.ensure_direct(game.id).pk)
    slow.revision = None
    revision = rulebook.save_revision(slow)
    assert revision.number == 1
    assert RuleRevision.objects.count() == 1


def test_a_rule_has_each_locale_once(game: Game) -> None:
    rule = given_rule(game)
    with pytest.raises(IntegrityError):
        RuleTemplate.objects.create(rule=rule, locale="en", title="again")
