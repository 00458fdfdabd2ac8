"""Deciding what was missed, from the rule's page: dry run, result, exact count, progress."""

from typing import Any

import pytest
from django.urls import reverse

from events.models import Game, Replay
from notifications.models import Rule
from players.erasing import erase
from tests.events.replays.given import worked_off
from tests.notifications.given import decisions, player, saved_again
from tests.notifications.replays.given import given_missed, made_up_for, tried
from tests.staff import address, olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rule(game: Game) -> Rule:
    return given_missed(game, 1, 2, condition="data.level > 0", slug="levels")


def begin(console: Any, rule: Rule, **fields: Any) -> Any:
    path = reverse("admin:notifications_rule_decide_missed_this", args=[rule.pk])
    asked = {"begins": "", "ends": "", "rate_limit": "", "reason": "made late", **fields}
    return console.post(path, asked, follow=True)


def real(trial: Replay) -> str:
    return reverse("admin:notifications_rule_missed", args=[trial.pk])


def test_from_the_rule_s_page_to_the_players_by_way_of_a_dry_run(game: Game, rule: Rule) -> None:
    console = olive()
    assert "Decide what was missed…" in text(console.page(rule))
    response = begin(console, rule)
    assert said(response) == ["The dry run has begun. Nothing is sent by it."]
    trial = worked_off(Replay.objects.get())
    page = text(console.page(trial))
    assert "1 player would get something" in page
    assert "Level 1!" in page, "some of the words"
    assert real(trial) in page
    assert decisions(game) == []
    asked = text(console.get(real(trial)))
    assert "2 notifications to 1 players, now" in asked
    assert "Type 2 to confirm." in asked
    response = console.post(
        real(trial), {"count": "2", "rate_limit": "", "reason": "they should know"}, follow=True
    )
    assert said(response) == ["levels decides now what it has missed."]
    replay = worked_off(Replay.objects.get(trial=False))
    assert [row.outcome for row in decisions(game)] == ["sent", "sent"]
    assert "its decisions" in text(console.page(replay))
    assert len(console.rows("notifications_decision", replay__id__exact=replay.pk)) == 2
    assert f"by replay {replay.pk}" in text(console.page(decisions(game)[0]))
    assert f"replay {replay.pk}" in text(console.page(trial))
    assert real(trial) not in text(console.page(trial))


@pytest.mark.parametrize("wrong", [{"count": "1"}, {"count": ""}, {"reason": ""}])
def test_another_count_or_no_reason_decides_nothing(game: Game, rule: Rule, wrong: dict[str, str]) -> None:
    trial = tried(rule)
    response = olive().post(real(trial), {"count": "2", "rate_limit": "", "reason": "x", **wrong})
    assert response.status_code == 200
    assert not Replay.objects.filter(trial=False).exists()
    assert decisions(game) == []


def test_a_rule_that_was_changed_since_is_refused_in_words(rule: Rule) -> None:
    trial, console = tried(rule), olive()
    saved_again(rule, title="other")
    assert "The rule was changed since the dry run" in text(
        console.post(real(trial), {"count": "2", "rate_limit": "", "reason": "x"})
    )
    assert "It cannot be decided for real: the rule was changed" in text(console.page(trial))
    assert not Replay.objects.filter(trial=False).exists()


def test_a_part_that_is_none_is_refused_at_its_field(rule: Rule) -> None:
    response = begin(olive(), rule, begins="soon")
    assert "neither a time such as" in response.context["form"].errors["begins"][0]
    assert not Replay.objects.exists()


def test_samples_of_who_was_erased_since_show_nothing(game: Game, rule: Rule) -> None:
    trial = tried(rule)
    erase(player(game))
    page = text(olive().page(trial))
    assert "nothing any more: erased" in page
    assert "Level 1!" not in page


def test_nothing_missed_is_said(rule: Rule) -> None:
    made_up_for(rule)
    assert "Nothing was missed" in text(olive().page(tried(rule)))


def test_who_may_only_look_begins_nothing(rule: Rule) -> None:
    trial, console = tried(rule), vera()
    assert "Decide what was missed…" not in text(console.page(rule))
    assert begin(console, rule).status_code == 403
    assert console.post(real(trial), {"count": "2", "reason": "x"}).status_code == 403
    assert Replay.objects.count() == 1


def test_what_is_no_dry_run_of_a_rule_is_not_found(rule: Rule) -> None:
    replay = made_up_for(rule)
    console = olive()
    assert console.get(real(replay)).status_code == 404
    assert console.get(reverse("admin:notifications_rule_missed", args=[10**6])).status_code == 404
    assert console.get(address(rule)).status_code == 200
