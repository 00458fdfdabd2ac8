"""The preview: what a rule would do, before it is saved."""

import time
from typing import Any

import pytest
from django.urls import reverse

from events.models import Game
from notifications.models import Rule, RuleRevision, RuleTemplate
from tests.notifications.admin.forms import PREVIEW, form, form_of
from tests.notifications.given import given_levels, given_rule
from tests.players.people import given_updates
from tests.staff import Console, given_staff, olive, text, vera

pytestmark = pytest.mark.django_db(transaction=True)


def preview(console: Console, data: dict[str, Any], **controls: str) -> str:
    response = console.post(
        reverse(PREVIEW), {**data, **{f"preview_{name}": each for name, each in controls.items()}}
    )
    assert response.status_code == 200, response.status_code
    return text(response)


def test_a_preview_shows_gates_with_what_they_compared_and_the_words_of_each_locale(game: Game) -> None:
    given_updates(game, "alice", {"display_name": "Alice", "locale": "de-AT"})
    words = (
        ("en", "Level {{ data.level }}!", "Hi {{ player.display_name }}"),
        ("de", "Stufe {{ data.level }}!", ""),
    )
    shown = preview(olive(), form(game, *words, condition="data.level > 3"))
    for part in (
        "Would be sent", "alice (de-AT)", "The condition is true for this event.", "<dt>data.level</dt><dd>15</dd>",
        "The sample reaches 1 player: alice", "Level 15!", "Hi Alice", "Stufe 15!",
    ):  # fmt: skip
        assert part in shown, part
    assert not Rule.objects.exists()


def test_a_preview_says_why_it_would_not_be_sent(game: Game) -> None:
    shown = preview(olive(), form(game, condition="data.level > 30"))
    assert "Would not be sent" in shown
    assert "The condition is false for this event." in shown


def test_a_preview_takes_a_typed_sample_a_player_and_a_locale(game: Game) -> None:
    given_updates(game, "bob", {"display_name": "Bob"})
    words = (
        ("en", "Level {{ data.level }}, {{ player.display_name }}", ""),
        ("ja", "レベル{{ data.level }}", ""),
    )
    typed = '{"player_id": ["bob", "carol"], "level": 3}'
    shown = preview(
        olive(), form(game, *words), **{"from": "typed", "sample": typed, "player": "bob", "locale": "ja_JP"}
    )
    assert "bob (ja-JP)" in shown
    assert "The sample reaches 2 players: bob, carol" in shown
    assert "Level 3, Bob" in shown


def test_a_preview_can_take_the_newest_real_event(game: Game) -> None:
    given_levels(game, 4, 44)
    shown = preview(olive(), form(game), **{"from": "newest"})
    assert "Level 44!" in shown
    assert "&quot;level&quot;: 44" in shown


def test_a_preview_shows_errors_beside_it_and_renders_nothing_that_cannot_be(game: Game) -> None:
    shown = preview(olive(), form(game, ("en", "{{ data.level ", ""), condition="data.level >"))
    assert "<strong>Condition</strong> is no CEL expression" in shown
    assert "<strong>en: Title</strong>" in shown
    assert "Would" not in shown


@pytest.mark.parametrize(
    "sample", ["{", '{"a": NaN}', "", "[" * 80 + "]" * 80], ids=["cut", "nan", "none", "deep"]
)
def test_a_sample_that_is_no_json_is_told(game: Game, sample: str) -> None:
    shown = preview(olive(), form(game), **{"from": "typed", "sample": sample})
    assert "<strong>sample</strong>" in shown


def test_an_untouched_new_rule_is_not_scolded(game: Game) -> None:
    shown = preview(olive(), form(game, ("en", "", ""), event_type="", slug=""))
    assert "console-problems" not in shown
    assert "Choose a game and an event type" in shown


def test_a_previews_words_are_text_never_markup(game: Game) -> None:
    shown = preview(olive(), form(game, ("en", "<img src=x onerror=alert(1)>", "")))
    assert "<img" not in shown
    assert "&lt;img src=x" in shown


def test_a_preview_saves_nothing(game: Game) -> None:
    rule = given_rule(game)
    preview(olive(), form_of(rule, condition="data.level > 99"), rule=str(rule.pk))
    rule.refresh_from_db()
    assert (rule.condition, RuleRevision.objects.count(), RuleTemplate.objects.count()) == ("", 1, 1)


def test_who_only_looks_sees_the_preview_of_what_is_saved(game: Game) -> None:
    rule = given_rule(game)
    shown = preview(vera(), {}, rule=str(rule.pk))
    assert "Level 15!" in shown


def test_who_may_not_see_players_or_events_does_not_see_them_in_a_preview(game: Game) -> None:
    given_updates(game, "alice", {"display_name": "Alicia Secret"})
    given_levels(game, 44)
    console = Console(given_staff("bob", "notifications.view_rule", "notifications.change_rule"))
    rule = given_rule(game)
    assert "Alicia Secret" not in preview(console, form_of(rule), rule=str(rule.pk))
    shown = preview(console, form_of(rule), **{"rule": str(rule.pk), "from": "newest"})
    assert "You may not look at events." in shown
    assert "44" not in shown


def test_who_may_not_see_rules_gets_no_preview(game: Game) -> None:
    console = Console(given_staff("bob", "players.view_player"))
    assert console.post(reverse(PREVIEW), form(game)).status_code == 403


def test_a_preview_that_would_cost_too_much_is_stopped(game: Game) -> None:
    began = time.monotonic()
    loop = "{% for i in (1..100000) %}{% for j in (1..100000) %}x{% endfor %}{% endfor %}"
    shown = preview(olive(), form(game, ("en", "ok", loop)))
    assert "too much" in shown

    assert time.monotonic() - began < 30
