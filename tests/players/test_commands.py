"""Commands print what one asked for alone on stdout."""

from io import StringIO
from typing import Any

import jwt
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from players import tokens
from players.models import Player
from tests.given import given_game
from tests.players.people import given_player

pytestmark = pytest.mark.django_db


def told(*words: str, **options: Any) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*words, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_token_prints_the_token_alone() -> None:
    game = given_game()
    out, err = told("token", game.slug, "alice", "--ttl", "60")
    assert tokens.verify(out.strip()).player == "alice"
    assert out.count("\n") == 1
    assert out.strip() not in err
    assert Player.objects.filter(game=game, key="alice").exists()


@pytest.mark.parametrize(
    ("player", "ttl", "said"),
    [("alice", "59", "60 to 86400"), ("x" * 129, "60", "128"), ("a\nb", "60", "control")],
)
def test_token_says_what_is_wrong(player: str, ttl: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        told("token", given_game().slug, player, "--ttl", ttl)


def test_token_refuses_who_is_blocked_or_erased() -> None:
    game = given_game()
    given_player(game, "bob", blocked="2026-01-01T00:00:00Z")
    given_player(game, "alice", erased="2026-01-01T00:00:00Z")
    for player, said in (("bob", "blocked"), ("alice", "erased")):
        with pytest.raises(CommandError, match=said):
            told("token", game.slug, player)


@pytest.mark.parametrize("words", [("token", "nowhere", "alice"), ("rotatetokenkey", "nowhere")])
def test_an_unknown_game_is_named_with_the_way_out(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="creategame"):
        told(*words)


def test_rotatetokenkey_prints_the_key_that_signs_from_now_on() -> None:
    game = given_game()
    old, _ = tokens.issue(game, "alice")
    out, _ = told("rotatetokenkey", game.slug)
    new, _ = tokens.issue(game, "alice")
    assert jwt.get_unverified_header(new)["kid"] == out.strip()
    assert tokens.verify(old).player == "alice"
