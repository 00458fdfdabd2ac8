"""What is wrong with a rule is said at its field, before anything is saved."""

import pytest
from django.urls import reverse

from events.models import EventType, Game
from notifications.models import Rule
from tests.notifications.admin.forms import ADD, errors, form
from tests.notifications.given import given_rule
from tests.staff import address, olive, said

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"condition": "data.level >"}, "condition", "is no CEL expression"),
        ({"condition": "data.lewel > 3"}, "condition", "data.lewel is not in the sample"),
        ({"condition": "data.level + 'a' == 'b'"}, "condition", "fails on the sample"),
        ({"condition": "player.level > 3"}, "condition", "player is unknown"),
        ({"condition": "data.level"}, "condition", "gives number, not true or false"),
        ({"audience_path": "data.nobody"}, "audience_path", "data.nobody"),
        ({"audience_path": "data.level"}, "audience_path", "not a player's id"),
        ({"audience_path": "data..x"}, "audience_path", ""),
        ({"audience_kind": "players", "audience_players": ""}, "audience_players", "1 to 10000 players"),
        ({"audience_kind": "players", "audience_players": "x" * 200}, "audience_players", "no player's id"),
        ({"notification_class": "live"}, "ttl_s", "class live needs seconds to live"),
        ({"ttl_s": "99999999999"}, "ttl_s", ""),
        ({"category": "a b"}, "category", ""),
        ({"default_locale": "nonsense!"}, "default_locale", ""),
        ({"default_locale": "de"}, "words", "none in the default locale de"),
        ({"event_type": ""}, "event_type", "required"),
        ({"game": ""}, "game", "required"),
        ({"slug": "has space"}, "slug", ""),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, (dict, str)) else None,
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_saved(
    game: Game, fields: dict[str, str], field: str, message: str
) -> None:
    found = errors(olive().post(reverse(ADD), form(game, **fields)))
    assert field in found, found
    assert message in found[field]
    assert not Rule.objects.exists()


@pytest.mark.parametrize(
    ("words", "field", "message"),
    [
        ((("en", "{{ data.level ", ""),), "en title", "line 1"),
        ((("en", "ok", "{% for x in data.list %}"),), "en body", "endfor"),
        ((("en", "{{ data.lewel }}", ""),), "en title", "on the sample, data.lewel is missing"),
        ((("en", "ok", "{{ data.lewel }}"),), "en body", "on the sample, data.lewel is missing"),
        ((("en", "{{ nobody.x }}", ""),), "en title", "nobody is unknown"),
        ((("en", "{{ data.level | nofilter }}", ""),), "en title", "there is no filter"),
        ((("en", "", "body"),), "en title", "required"),
        ((("en", "{% if data.level == 0 %}x{% endif %}", ""),), "en title", "is empty on the sample"),
        ((("en", "ok", ""), ("de", "{{ data.x }}", "")), "de title", "data.x is missing"),
        ((("en", "ok", ""), ("EN", "twice", "")), "EN locale", "There are words in en already."),
        ((("xx-nonsense-!", "ok", ""),), "xx-nonsense-! locale", ""),
    ],
    ids=[
        "unclosed", "unended", "title path", "body path", "unknown", "filter", "no title", "empty", "second", "twice",
        "no locale",
    ],
)  # fmt: skip
def test_what_is_wrong_with_words_is_said_at_their_field(
    game: Game, words: tuple[tuple[str, str, str], ...], field: str, message: str
) -> None:
    found = errors(olive().post(reverse(ADD), form(game, *words)))
    assert field in found, found
    assert message in found[field]
    assert not Rule.objects.exists()


def test_a_rule_without_words_says_so(game: Game) -> None:
    data = {**form(game), "templates-TOTAL_FORMS": "0"}
    assert "Say something" in errors(olive().post(reverse(ADD), data))["words"]


def test_a_wrong_condition_and_wrong_words_are_said_together(game: Game) -> None:
    found = errors(
        olive().post(reverse(ADD), form(game, ("en", "{{ data.nix }}", ""), condition="data.nope > 1"))
    )
    assert {"condition", "en title"} <= set(found)


def test_a_sample_that_no_longer_fits_its_rules_is_told_when_it_is_saved(game: Game) -> None:
    given_rule(game, slug="levels", condition="data.level > 3")
    kind = EventType.objects.get()
    response = olive().post(
        address(kind),
        {"lane": "1", "description": "", "schema": "", "sample": '{"player_id": "a"}'},
        follow=True,
    )
    assert any(
        "The rule levels does not fit this sample: condition: data.level is not in the sample" in each
        for each in said(response)
    )
