"""Lists of rules and what they have been."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.models import Game
from notifications import editing
from notifications.models import Rule
from tests.given import an_event, given_events
from tests.notifications.admin.forms import form_of
from tests.notifications.given import decide, given_levels, given_rule, notifications, saved_again
from tests.staff import address, olive, said, text

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_list_of_rules_says_when_each_sent_last(game: Game) -> None:
    rule, quiet = given_rule(game, slug="a"), given_rule(game, slug="b", event_type="nothing.ever")
    given_levels(game, 1)
    decide()
    rows = olive().rows("notifications_rule")
    assert [row.slug for row in rows] == ["a", "b"]
    assert rows[0].sent_at == notifications(game)[0].created
    assert rows[1].sent_at is None
    assert (rule, quiet) == tuple(rows)


def test_the_list_of_rules_costs_the_same_with_few_and_with_many(game: Game) -> None:
    console = olive()
    given_rule(game)
    with CaptureQueriesContext(connection) as few:
        console.listed("notifications_rule")
    for _ in range(20):
        given_rule(game)
    with CaptureQueriesContext(connection) as many:
        console.listed("notifications_rule")
    assert len(many) == len(few) <= 12


def test_each_revision_says_what_changed_and_by_whom(game: Game) -> None:
    rule = given_rule(game, slug="levels")
    saved_again(rule, condition="data.level > 3")
    console = olive()
    console.post(address(rule), form_of(Rule.objects.get(), condition="data.level > 4"))
    page = text(console.listed("notifications_rulerevision", rule__id__exact=rule.pk))
    for part in (
        "levels r3",
        "olive",
        "from “data.level &gt; 3” to “data.level &gt; 4”",
        "Made, with words in en.",
    ):
        assert part in page, part


def test_a_revision_is_never_changed(game: Game) -> None:
    revision = given_rule(game).revision
    console = olive()
    assert console.post(address(revision), {"number": "9"}).status_code == 403
    assert console.post(address(revision, "delete"), {"post": "yes"}).status_code == 403


def test_an_earlier_revision_is_brought_back_as_a_new_one(game: Game) -> None:
    rule = given_rule(
        game, words={"en": ("Old {{ data.level }}", "b"), "de": ("Alt", "")}, condition="data.level > 1"
    )
    first = rule.revision
    saved_again(rule, title="New {{ data.level }}", condition="", category="other", ttl_s=60)
    console = olive()
    page = text(console.page(first))
    assert "it has changed since" in page
    response = console.post(
        address(first, "restore"), {"confirmed": "1", "reason": "it was better"}, follow=True
    )
    assert said(response) == ["Brought back 1 revision."]
    rule.refresh_from_db()
    assert rule.revision
    assert first
    assert (rule.revision.number, rule.revision.definition) == (3, first.definition)
    assert rule.revision.author == console.user
    assert (rule.condition, rule.category, rule.ttl_s) == ("data.level > 1", "general", None)
    given_levels(game, 7)
    decide()
    assert [row.title for row in notifications(game)] == ["Old 7"]


def test_what_is_brought_back_is_all_of_a_rule(game: Game) -> None:
    rule = given_rule(
        game, audience_kind="players", audience_players=["alice"], notification_class="live", ttl_s=9,
        default_locale="de", words={"de": ("Stufe", "")},
    )  # fmt: skip
    first = rule.revision
    assert first
    saved_again(
        rule,
        audience_kind="path",
        notification_class="inbox",
        ttl_s=None,
        event_type="other.thing",
        title="Anders",
    )
    assert editing.restore(first, None).definition == first.definition


def test_the_present_revision_is_not_offered_to_be_brought_back(game: Game) -> None:
    page = text(olive().page(given_rule(game).revision))
    assert "this is how it decides now" in page
    assert "Bring back…" not in page


def test_a_rule_links_to_what_it_decided_and_to_its_events(game: Game) -> None:
    rule = given_rule(game)
    given_events(game, an_event())
    page = text(olive().page(rule))
    for path in (
        f"/admin/notifications/decision/?rule__id__exact={rule.pk}",
        f"/admin/notifications/rulerevision/?rule__id__exact={rule.pk}",
        f"/admin/events/event/?game__id__exact={game.pk}&amp;type=level.reached",
    ):
        assert path in page
