"""Which other channels a rule uses: ticked, checked against what the game has set up, told in the preview."""

import pytest
from django.urls import reverse

from events.models import Game
from notifications.delivery import outlets
from notifications.models import Rule
from tests.notifications.admin.forms import ADD, PREVIEW, errors, form, form_of
from tests.notifications.delivery.conftest import _as_if_just_started  # noqa: F401 - a fixture
from tests.notifications.delivery.scene import given_memory
from tests.notifications.given import given_rule
from tests.staff import address, olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_channel_is_ticked_and_becomes_a_part_of_the_revision(game: Game) -> None:
    given_memory(game)
    console = olive()
    assert "kept in the process, for tests" in text(console.get(reverse(ADD)))
    console.post(reverse(ADD), form(game, channels=["memory"]))
    rule = Rule.objects.select_related("revision").get(slug="levels")
    assert rule.channels == ["memory"]
    assert rule.revision is not None
    assert rule.revision.definition["channels"] == ["memory"]
    console.post(address(rule), form_of(rule, channels=[]))
    assert Rule.objects.get(slug="levels").channels == []


def test_a_channel_that_the_game_has_not_set_up_is_refused_at_its_field(game: Game) -> None:
    response = olive().post(reverse(ADD), form(game, channels=["webhook"]))
    said_there = errors(response)["channels"]
    assert "This game has not set up webhook yet (under Webhook endpoints)" in said_there
    assert not Rule.objects.filter(slug="levels").exists()


def test_a_channel_that_is_switched_off_is_taken_with_a_warning(game: Game) -> None:
    given_memory(game)
    outlets.put(game.id, "memory", enabled=False)
    response = olive().post(reverse(ADD), form(game, channels=["memory"]), follow=True)
    assert any("By memory nothing goes now" in each for each in said(response))
    assert Rule.objects.get(slug="levels").channels == ["memory"]


def test_the_preview_tells_by_what_channels_it_goes(game: Game) -> None:
    given_memory(game)
    console = olive()
    shown = text(console.post(reverse(PREVIEW), form(game, channels=["memory"])))
    assert "It goes to the inbox and connected devices, and by memory." in shown
    live = text(console.post(reverse(PREVIEW), form(game, notification_class="live", ttl_s="9")))
    assert "It goes to connected devices." in live
    outlets.put(game.id, "memory", enabled=False)
    off = text(console.post(reverse(PREVIEW), form(game, channels=["memory"])))
    assert "By memory nothing goes now" in off
    unknown = text(console.post(reverse(PREVIEW), form(game, channels=["webhook"])))
    assert "has not set up webhook" in unknown


def test_a_channel_of_another_version_stays_until_somebody_unticks_it(game: Game) -> None:
    rule = given_rule(game, channels=["pigeon"])
    assert "pigeon: this version does not have it" in text(olive().page(rule))


def test_who_may_only_look_reads_the_channels(game: Game) -> None:
    given_memory(game)
    assert "memory" in text(vera().page(given_rule(game, channels=["memory"])))
