"""Games, event types and API keys in the console."""

import re
from typing import Any

import pytest
from django.urls import reverse

from events import games, keys
from events.lanes import Lane
from events.models import ApiKey, Checkpoint, Event, EventType, Game, Partition
from tests.given import an_event, given_events, given_game
from tests.staff import Console, address, olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)


# -- games and types ---------------------------------------------------------------------------------------


def test_a_game_made_here_has_its_partitions_and_checkpoints() -> None:
    form = {"slug": "fresh", "name": "Fresh", "cut_into": "3", "allowed_origins": "https://play.example\n*"}
    olive().post(reverse("admin:events_game_add"), form)
    game = Game.objects.get(slug="fresh")
    assert (game.partitions, Partition.objects.filter(game=game).count()) == (3, 3)
    assert Checkpoint.objects.filter(partition__game=game).exists()
    assert game.allowed_origins == ["https://play.example", "*"]
    given_events(game, an_event())


def test_what_staff_do_is_an_event_in_the_log() -> None:
    game = given_game()
    console = olive()
    console.post(address(game), {"slug": game.slug, "name": "Other", "allowed_origins": ""})
    event = Event.objects.get(game=game, type="staff.game.saved")
    assert event.source == "clarion:server"
    assert '"by":"olive"' in str(event.data)


def test_a_games_partitions_and_slug_stay_as_they_are() -> None:
    game = given_game("old", partitions=2)
    olive().post(
        address(game), {"slug": "new", "name": "N", "partitions": "9", "cut_into": "9", "allowed_origins": ""}
    )
    game.refresh_from_db()
    assert (game.slug, game.partitions, game.name) == ("old", 2, "N")


@pytest.mark.parametrize("origin", ["play.example", "https://", "javascript:alert(1)", "https://a b"])
def test_what_is_no_origin_is_refused_at_its_field(origin: str) -> None:
    game = given_game()
    response = olive().post(address(game), {"name": "N", "allowed_origins": origin})
    assert "is no origin" in str(response.context["adminform"].form.errors["allowed_origins"])


def test_a_game_is_never_deleted() -> None:
    game = given_game()
    assert olive().post(address(game, "delete"), {"post": "yes"}).status_code == 403


def type_form(game: Game, **fields: Any) -> dict[str, Any]:
    return {
        "game": game.pk,
        "name": "level.reached",
        "lane": "1",
        "description": "",
        "schema": "",
        "sample": "",
        **fields,
    }


def test_a_type_takes_effect_at_once() -> None:
    game = given_game(strict=True)
    assert games.config_of(game.pk).types == {}
    olive().post(reverse("admin:events_eventtype_add"), type_form(game, lane="0"))
    assert games.config_of(game.pk).types["level.reached"].lane is Lane.URGENT


@pytest.mark.parametrize(
    ("field", "given", "said_there"),
    [
        ("schema", '{"type": "nope"}', "is no JSON Schema"),
        ("schema", '{"$ref": "http://127.0.0.1:1/x"}', "only point into the schema itself"),
        ("schema", "{", "Enter a valid JSON"),
        ("sample", '{"level": NaN}', "64 bits cannot hold"),
        ("sample", '{"name": "\\u0000"}', "NUL"),
        ("sample", "[" * 100 + "]" * 100, "deeper than 64"),
        ("sample", '{"level": "x"}', "is not of type"),
    ],
    ids=["no schema", "reference", "no json", "nan", "nul", "deep", "sample"],
)
def test_a_schema_or_sample_that_cannot_be_is_refused_at_its_field(
    field: str, given: str, said_there: str
) -> None:
    schema = '{"type": "object", "properties": {"level": {"type": "integer"}}}'
    form = type_form(given_game(), **{"schema": schema, field: given})
    response = olive().post(reverse("admin:events_eventtype_add"), form)
    assert said_there in str(response.context["adminform"].form.errors[field])
    assert not EventType.objects.exists()


def test_a_deleted_type_is_unlisted_at_once() -> None:
    game = given_game()
    kind = EventType.objects.create(game=game, name="level.reached", lane=Lane.BULK)
    assert "level.reached" in games.config_of(game.pk).types
    olive().post(address(kind, "delete"), {"post": "yes"})
    assert games.config_of(game.pk).types == {}


# -- API keys ----------------------------------------------------------------------------------------------


def made_key(console: Console, game: Game) -> Any:
    form = {"game": game.pk, "name": "match-server", "scopes": ["events:write"], "rate_limit": "100"}
    return console.post(reverse("admin:events_apikey_add"), form)


def test_a_keys_secret_is_shown_once_and_kept_nowhere() -> None:
    console, game = olive(), given_game()
    response = made_key(console, game)
    found = re.search(r"clk_[\w-]{40,}", response.content.decode())
    assert found
    assert keys.verify(f"Bearer {found[0]}").scopes == {"events:write"}
    assert "no-store" in response["Cache-Control"]
    assert found[0] not in response.cookies.output() + str(dict(console.client.session))
    for page in (console.listed("events_apikey"), console.page(ApiKey.objects.get()), console.get("/admin/")):
        assert found[0] not in page.content.decode()
    assert not Event.objects.filter(data__contains=found[0]).exists()


def test_a_key_can_be_renamed_and_limited_but_not_moved() -> None:
    console, game, other = olive(), given_game(), given_game()
    made_key(console, game)
    key = ApiKey.objects.get()
    console.post(address(key), {"game": other.pk, "name": "new", "scopes": ["events:read"], "rate_limit": ""})
    key.refresh_from_db()
    assert (key.game_id, key.name, key.scopes, key.rate_limit) == (game.pk, "new", ["events:read"], None)


def test_revoking_asks_for_a_reason_and_names_the_count() -> None:
    console, game = olive(), given_game()
    for name in ("one", "two", "three"):
        keys.issue(game, name)
    ticked = {
        "action": "revoke",
        "_selected_action": [row.pk for row in ApiKey.objects.filter(name__in=["one", "two"])],
    }
    path = reverse("admin:events_apikey_changelist")
    assert "Revoke 2 keys?" in text(console.post(path, ticked))
    console.post(path, {**ticked, "confirmed": "1", "reason": ""})
    assert not ApiKey.objects.exclude(revoked=None).exists()
    response = console.post(path, {**ticked, "confirmed": "1", "reason": "leaked"}, follow=True)
    assert said(response) == ["Revoked 2 keys."]
    assert set(ApiKey.objects.exclude(revoked=None).values_list("name", flat=True)) == {"one", "two"}


def test_a_revoked_key_is_refused_at_once() -> None:
    console, game = olive(), given_game()
    secret = keys.issue(game, "one")
    assert keys.verify(f"Bearer {secret}")
    lever = address(ApiKey.objects.get(), "revoke_this")
    console.post(lever, {"confirmed": "1", "reason": "leaked"})
    with pytest.raises(keys.Unauthorized):
        keys.verify(f"Bearer {secret}")
    assert "leaked" in text(console.get(address(ApiKey.objects.get(), "history")))


def test_all_at_once_is_never_acted_upon() -> None:
    console, game = olive(), given_game()
    for name in ("one", "two", "three"):
        keys.issue(game, name)
    first = ApiKey.objects.get(name="one")
    forged = {
        "action": "revoke",
        "_selected_action": [first.pk],
        "select_across": "1",
        "confirmed": "1",
        "reason": "x",
    }
    console.post(reverse("admin:events_apikey_changelist"), forged)
    assert [row.name for row in ApiKey.objects.exclude(revoked=None)] == ["one"]


def test_who_only_looks_is_offered_no_key() -> None:
    keys.issue(given_game(), "one")
    page = text(vera().page(ApiKey.objects.get()))
    assert "Revoke…" not in page


LIMITS = {
    "urgent_lag_events": "300", "urgent_lag_age_s": "", "normal_lag_events": "200", "normal_lag_age_s": "60",
    "bulk_lag_events": "100", "bulk_lag_age_s": "30",
}  # fmt: skip


def test_a_games_limits_of_lag_are_changed_on_its_page() -> None:
    game = given_game()
    olive().post(address(game), {"name": "N", "allowed_origins": "", **LIMITS})
    game.refresh_from_db()
    assert [(limit.events, limit.age_s) for limit in game.limits] == [(300, None), (200, 60), (100, 30)]


def test_a_new_game_gets_the_limits_that_were_typed() -> None:
    form = {"slug": "fresh", "name": "N", "cut_into": "1", "allowed_origins": "", **LIMITS}
    olive().post(reverse("admin:events_game_add"), form)
    assert Game.objects.get(slug="fresh").limits[Lane.BULK].events == 100


def test_a_lane_is_never_refused_before_a_less_urgent_one() -> None:
    game = given_game()
    response = olive().post(
        address(game),
        {"name": "N", "allowed_origins": "", **LIMITS, "bulk_lag_events": "201", "bulk_lag_age_s": ""},
    )
    errors = response.context["adminform"].form.errors
    assert set(errors) == {"bulk_lag_events", "bulk_lag_age_s"}
    assert "must not be above 200; it is 201" in str(errors["bulk_lag_events"])
    assert "must not be above 60; it has none" in str(errors["bulk_lag_age_s"])


def test_no_limit_of_lag_is_zero_or_less() -> None:
    game = given_game()
    response = olive().post(
        address(game),
        {"name": "N", "allowed_origins": "", **LIMITS, "bulk_lag_events": "0", "bulk_lag_age_s": "-1"},
    )
    assert set(response.context["adminform"].form.errors) == {"bulk_lag_events", "bulk_lag_age_s"}
