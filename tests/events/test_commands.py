"""``creategame`` and ``apikey``, as an operator types them."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from events import keys
from events.models import ApiKey, Game
from tests.given import given_game

pytestmark = pytest.mark.django_db


def run(*command: str, **options: Any) -> tuple[str, str]:
    """Return what a command prints for programs, and what for people."""
    out, err = StringIO(), StringIO()
    call_command(*command, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_a_game_is_made_and_the_next_step_named() -> None:
    out, err = run("creategame", "arena", "--name", "Arena", "--partitions", "3", "--strict")
    game = Game.objects.get(slug="arena")
    assert (game.name, game.partitions, game.strict, game.partition_rows.count()) == ("Arena", 3, True, 3)
    assert out == ""
    assert "manage.py apikey arena" in err


def test_a_game_has_eight_partitions_and_is_not_strict_unless_asked() -> None:
    run("creategame", "arena")
    game = Game.objects.get(slug="arena")
    assert (game.name, game.partition_rows.count(), game.strict) == ("arena", 8, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["a b"], ["a/b"], ["é"], [""], ["x" * 65], ["arena", "--partitions", "0"], ["arena", "--partitions", "257"],
        ["arena", "--name", "x" * 121],
    ],
    ids=lambda arguments: " ".join(arguments)[:24],
)  # fmt: skip
def test_what_is_no_game_is_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run("creategame", *arguments)
    assert not Game.objects.exists()


def test_a_game_is_not_made_twice() -> None:
    run("creategame", "arena")
    with pytest.raises(CommandError, match="already"):
        run("creategame", "arena", "--partitions", "3")
    assert Game.objects.get().partitions == 8


def test_a_key_is_printed_once_and_alone() -> None:
    game = given_game("arena")
    out, err = run("apikey", "arena", "--name", "match-server")
    secret = out.removesuffix("\n")
    assert "\n" not in secret
    caller = keys.verify(f"Bearer {secret}")
    assert (caller.game_id, caller.scopes) == (game.pk, keys.SCOPES)
    assert secret not in err
    assert ApiKey.objects.get().name == "match-server"


def test_a_key_has_the_scopes_that_are_named() -> None:
    given_game("arena")
    out, _ = run("apikey", "arena", "--name", "reader", "--scopes", "events:read", "players:read")
    assert keys.verify(f"Bearer {out.strip()}").scopes == {"events:read", "players:read"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nowhere", "--name", "x"], "nowhere"),
        (["arena", "--name", "x", "--scopes", "events:destroy"], "events:destroy"),
        (["arena", "--name", "x" * 121], "--name"),
        (["arena"], "--name"),
    ],
)
def test_a_key_that_cannot_be_is_refused_and_none_is_made(arguments: list[str], word: str) -> None:
    given_game("arena")
    with pytest.raises(CommandError, match=word):
        run("apikey", *arguments)
    assert not ApiKey.objects.exists()
