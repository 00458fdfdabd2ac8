"""API keys: kept as hashes, shown once, bound to a game, with scopes, an end, and a way to end them sooner."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from events import keys
from events.errors import Forbidden, Unauthorized
from events.models import ApiKey, Game
from tests.events.clock import Clock
from tests.given import given_game

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def game() -> Game:
    return given_game()


def bearer(secret: str) -> str:
    return f"Bearer {secret}"


def is_valid(secret: str) -> bool:
    try:
        keys.verify(bearer(secret))
    except Unauthorized:
        return False
    return True


def test_a_key_names_its_game_and_scopes(game: Game) -> None:
    caller = keys.verify(bearer(keys.issue(game, "match-server", ["events:write"])))
    assert (caller.game_id, caller.game, caller.scopes) == (game.pk, game.slug, {"events:write"})
    caller.require("events:write")
    with pytest.raises(Forbidden, match="events:read"):
        caller.require("events:read")


def test_of_a_secret_only_a_hash_is_kept(game: Game) -> None:
    secret = keys.issue(game, "match-server")
    row = ApiKey.objects.get()
    kept = " ".join(str(getattr(row, field.attname)) for field in ApiKey._meta.concrete_fields)
    assert secret not in kept
    assert secret[12:] not in kept
    assert row.digest == keys.digest_of(secret)
    assert secret.startswith(row.prefix)


def test_no_two_secrets_are_alike_and_none_can_be_guessed() -> None:
    secrets = {keys.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(len(secret) >= 43 for secret in secrets)


def test_a_scope_that_does_not_exist_is_named_and_no_key_is_made(game: Game) -> None:
    with pytest.raises(ValueError, match="events:destroy"):
        keys.issue(game, "x", ["events:write", "events:destroy"])
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer clk_",
        "bearer wrong",
        "Basic YTpi",
        "Token x",
        "Bearer  ",
        "clk_x",
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(game: Game, authorization: str | None) -> None:
    keys.issue(game, "match-server")
    with pytest.raises(Unauthorized) as refused:
        keys.verify(authorization)
    assert "YTpi" not in str(refused.value)


def test_the_scheme_may_be_written_in_any_case(game: Game) -> None:
    secret = keys.issue(game, "match-server")
    assert keys.verify(f"bEARER   {secret} ").game_id == game.pk


def test_several_keys_are_valid_at_once_and_one_is_revoked_at_once(game: Game) -> None:
    old, new = keys.issue(game, "old"), keys.issue(game, "new")
    assert is_valid(old)
    assert is_valid(new)
    assert keys.revoke(ApiKey.objects.filter(name="old")) == 1
    assert not is_valid(old)
    assert is_valid(new)
    assert keys.revoke(ApiKey.objects.filter(name="old")) == 0, "it was revoked before"


def test_a_key_that_another_process_revoked_is_refused_within_a_second(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(keys, "time", clock)
    secret = keys.issue(game, "match-server")
    assert is_valid(secret)
    ApiKey.objects.update(revoked=NOON)
    assert is_valid(secret), "this process remembers it"
    clock.now += keys.CACHE_S + 0.01
    assert keys.cached(bearer(secret)) is None
    assert not is_valid(secret)


def test_a_known_key_takes_no_query(game: Game, django_assert_num_queries: Any) -> None:
    secret = keys.issue(game, "match-server")
    keys.verify(bearer(secret))
    with django_assert_num_queries(0):
        keys.verify(bearer(secret))


def test_a_key_ends_when_it_says_even_while_it_is_remembered(game: Game) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        secret = keys.issue(game, "guest", expires=NOON + timedelta(seconds=0.5))
        assert is_valid(secret)
        clock.shift(timedelta(seconds=0.5))
        with pytest.raises(Unauthorized, match="has expired at 2026-11-24T12:00:00Z"):
            keys.cached(bearer(secret))
        clock.shift(timedelta(seconds=2))
        assert not is_valid(secret)


def test_the_last_use_is_noted_once_a_minute(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "CACHE_S", -1)
    with time_machine.travel(NOON, tick=False) as clock:
        secret = keys.issue(game, "match-server")
        assert ApiKey.objects.get().last_used is None
        for seconds, noted in ((0, 0), (59, 0), (60, 60), (61, 60), (119, 60), (120, 120)):
            clock.move_to(NOON + timedelta(seconds=seconds))
            keys.verify(bearer(secret))
            assert ApiKey.objects.get().last_used == NOON + timedelta(seconds=noted)


def test_a_refused_key_is_not_noted_as_used(game: Game) -> None:
    secret = keys.issue(game, "match-server", expires=NOON)
    assert not is_valid(secret)
    assert ApiKey.objects.get().last_used is None


def test_a_key_that_is_kept_elsewhere_may_be_given(game: Game) -> None:
    assert keys.issue(game, "demo", secret="clk_of_the_demo") == "clk_of_the_demo"
    assert is_valid("clk_of_the_demo")


def test_wrong_keys_do_not_fill_the_memory() -> None:
    for number in range(50):
        assert not is_valid(f"clk_wrong_{number}")
    assert not keys._cache
