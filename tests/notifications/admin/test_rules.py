"""Rules in the console: checked where they are typed, saved as revisions, switched at once."""

import pytest
from django.urls import reverse

from events.models import Event, Game
from notifications import rulebook
from notifications.models import Rule, RuleRevision, RuleTemplate
from tests.given import given_game
from tests.notifications.admin.forms import ADD, errors, form, form_of
from tests.notifications.given import LEVEL, decide, given_levels, given_rule, notifications
from tests.staff import Console, address, given_staff, olive, said, text

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_saved_rule_decides_from_now_on_with_its_author_named(game: Game) -> None:
    console = olive()
    response = console.post(reverse(ADD), form(game), follow=True)
    rule = Rule.objects.get(slug="levels")
    assert rule.revision
    assert (rule.revision.number, rule.revision.author) == (1, console.user)
    assert any("Revision 1 decides from now on." in each for each in said(response))
    given_levels(game, 7)
    decide()
    assert [row.title for row in notifications(game)] == ["Level 7!"]
    assert Event.objects.get(type="staff.rule.saved").data == '{"by":"olive","revision":1,"rule":"levels"}'


def test_saving_again_says_what_changed_and_saving_the_same_makes_no_revision(game: Game) -> None:
    console = olive()
    console.post(reverse(ADD), form(game), follow=True)
    rule = Rule.objects.get()
    response = console.post(
        address(rule), form_of(rule, condition="data.level > 5", category="other"), follow=True
    )
    assert "Condition added: “data.level > 5”. Category changed from “progress” to “other”." in " ".join(
        said(response)
    )
    rule = Rule.objects.get()
    response = console.post(address(rule), form_of(rule, description="Only words about it"), follow=True)
    assert "it is still revision 2" in " ".join(said(response))
    assert [row.number for row in RuleRevision.objects.order_by("number")] == [1, 2]
    assert Rule.objects.get().description == "Only words about it"


def test_a_changed_word_makes_a_revision(game: Game) -> None:
    rule = given_rule(game)
    data = form_of(rule)
    olive().post(address(rule), {**data, "templates-0-title": "Up to {{ data.level }}"})
    assert (
        RuleRevision.objects.get(number=2).definition["templates"]["en"]["title"] == "Up to {{ data.level }}"
    )


def test_words_are_added_and_removed_with_the_rule(game: Game) -> None:
    rule = given_rule(game, words={"en": ("Level", ""), "fr": ("Niveau", "")})
    data = form(
        game, ("en", "Level", ""), ("fr", "Niveau", ""), ("de", "Stufe", ""), rule=rule, slug=rule.slug
    )
    olive().post(address(rule), {**data, "templates-1-DELETE": "on"})
    rule.refresh_from_db()
    assert rule.revision
    assert set(rule.revision.definition["templates"]) == {"en", "de"}


def test_locales_are_stored_as_bcp_47_writes_them(game: Game) -> None:
    olive().post(reverse(ADD), form(game, ("pt_br", "Nível", ""), default_locale="PT-br"))
    assert (RuleTemplate.objects.get().locale, Rule.objects.get().default_locale) == ("pt-BR", "pt-BR")


def test_named_players_are_typed_line_by_line(game: Game) -> None:
    olive().post(reverse(ADD), form(game, audience_kind="players", audience_players="alice\n bob \n\nalice"))
    rule = Rule.objects.get()
    assert rule.audience_players == ["alice", "bob"]
    assert rule.revision
    assert rule.revision.definition["audience"] == {"players": ["alice", "bob"]}


def test_a_rule_without_a_sample_is_saved_with_a_warning(game: Game) -> None:
    data = form(game, ("en", "Hi {{ data.who }}", ""), event_type="friend.online", condition="data.who != ''")
    response = olive().post(reverse(ADD), data, follow=True)
    assert any("There is no sample of friend.online" in each for each in said(response))
    assert Rule.objects.get().revision


def test_nobody_overwrites_what_they_have_not_seen(game: Game) -> None:
    rule = given_rule(game)
    mine = form_of(rule, condition="data.level > 1")
    theirs = Console(given_staff("petra", everything=True))
    theirs.post(address(rule), form_of(rule, condition="data.level > 2"))
    response = olive().post(address(rule), mine)
    assert "petra has saved revision 2 since you opened this page" in errors(response)["__all__"]
    assert Rule.objects.get().condition == "data.level > 2"


def test_a_rule_stays_in_its_game_under_its_name(game: Game) -> None:
    rule = given_rule(game, slug="levels")
    olive().post(address(rule), form_of(rule, slug="other", game=given_game().pk, category="new"))
    rule.refresh_from_db()
    assert (rule.slug, rule.game_id, rule.category) == ("levels", game.pk, "new")


def test_a_rule_is_never_deleted(game: Game) -> None:
    rule = given_rule(game)
    assert olive().post(address(rule, "delete"), {"post": "yes"}).status_code == 403


def test_the_built_in_rule_is_only_looked_at(game: Game) -> None:
    rule = rulebook.ensure_direct(game.pk)
    console = olive()
    page = text(console.page(rule))
    assert 'name="_save"' not in page
    assert "notification.posted" in page
    assert "Disable…" not in page
    assert console.post(address(rule), form(game, category="x")).status_code == 403
    ticked = {"action": "disable", "_selected_action": [rule.pk], "confirmed": "1", "reason": "x"}
    console.post(reverse("admin:notifications_rule_changelist"), ticked)
    rule.refresh_from_db()
    assert rule.enabled


def test_disabling_is_immediate_and_enabling_too(game: Game) -> None:
    rule, console = given_rule(game), olive()
    assert rulebook.active(game.pk)[LEVEL]
    console.post(address(rule, "disable_this"), {"confirmed": "1", "reason": "too many"}, follow=True)
    given_levels(game, 1)
    decide()
    assert notifications(game) == []
    console.post(address(rule, "enable_this"), {"confirmed": "1", "reason": "better now"}, follow=True)
    given_levels(game, 2)
    decide()
    assert [row.title for row in notifications(game)] == ["Level 2!"]
    assert '"reason":"too many"' in str(Event.objects.get(type="staff.rule.disabled").data)
    assert "better now" in text(console.get(address(rule, "history")))
    assert RuleRevision.objects.count() == 1


def test_several_rules_are_disabled_at_once_by_count(game: Game) -> None:
    rules = [given_rule(game) for _ in range(3)]
    ticked = {"action": "disable", "_selected_action": [rule.pk for rule in rules[:2]]}
    path, console = reverse("admin:notifications_rule_changelist"), olive()
    assert "Disable 2 rules?" in text(console.post(path, ticked))
    response = console.post(path, {**ticked, "confirmed": "1", "reason": "incident"}, follow=True)
    assert said(response) == ["Disabled 2 rules."]
    assert [rule.enabled for rule in Rule.objects.order_by("id")] == [False, False, True]
