"""A player's token lets in that player, in that game, for a while; nothing else does."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.test import override_settings

from events.models import Game
from players import tokens
from players.errors import TokenExpired, TokenInvalid
from players.models import TokenKey
from tests.given import given_game

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FAR = datetime(2999, 1, 1, tzinfo=UTC)


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def forged(game: Game, secret: bytes | None = None, headers: Any = None, **claims: Any) -> str:
    """Sign claims with a game's own key, or another, so that only one thing at a time is wrong."""
    tokens.issue(game, "alice")
    key = TokenKey.objects.filter(game=game).latest("id")
    now = datetime.now(UTC)
    whole = {
        "iss": "clarion", "aud": game.slug, "sub": "alice", "iat": now, "nbf": now,
        "exp": now + timedelta(hours=1), "jti": "j", **claims,
    }  # fmt: skip
    whole = {name: value for name, value in whole.items() if value is not None}
    own = tokens._secret(bytes(key.salt))
    return jwt.encode(whole, secret or own, algorithm="HS256", headers={"kid": key.kid, **(headers or {})})


def test_a_token_says_who_in_which_game_and_until_when() -> None:
    game = given_game()
    token, expires = tokens.issue(game, "алиса/1 #")
    claims = tokens.verify(token)
    assert (claims.game_id, claims.game, claims.player) == (game.id, game.slug, "алиса/1 #")
    assert claims.expires == expires
    assert claims.jti
    assert tokens.verify(forged(game)).player == "alice", "the forgery differs from ours in nothing"


def test_two_tokens_are_never_the_same() -> None:
    game = given_game()
    assert tokens.issue(game, "alice")[0] != tokens.issue(game, "alice")[0]


@pytest.mark.parametrize("ttl_s", [59, 86_401, 0, -1])
def test_a_token_lives_a_minute_at_least_and_a_day_at_most(ttl_s: int) -> None:
    with pytest.raises(ValueError, match="60 to 86400"):
        tokens.issue(given_game(), "alice", ttl_s)


def test_a_token_ends() -> None:
    game = given_game()
    with time_machine.travel(NOON, tick=False):
        token, _ = tokens.issue(game, "alice", 60)
        tokens.verify(token)
    with time_machine.travel(NOON + timedelta(seconds=66), tick=False), pytest.raises(TokenExpired):
        tokens.verify(token)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "mallory"},
        {"aud": "another-game"},
        {"nbf": FAR},
        {"iat": FAR},
        {"exp": "soon"},
        {"exp": 10**30},
        {"sub": 7},
        *({name: None} for name in tokens.REQUIRED),
    ],
    ids=str,
)
def test_a_signed_token_with_a_wrong_or_missing_claim_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        tokens.verify(forged(given_game(), **claims))


def test_a_signature_of_another_secret_is_refused() -> None:
    with pytest.raises(TokenInvalid):
        tokens.verify(forged(given_game(), secret=b"mallory's own, of thirty-two bytes and more"))


def test_a_token_of_one_game_is_none_of_another_even_under_its_key_s_name() -> None:
    mine, other = given_game(), given_game()
    tokens.issue(other, "alice")
    kid = TokenKey.objects.get(game=other).kid
    with pytest.raises(TokenInvalid):
        tokens.verify(forged(mine, headers={"kid": kid}))


def test_the_deployment_s_key_is_needed_to_sign() -> None:
    game = given_game()
    token, _ = tokens.issue(game, "alice")
    tokens.forget()
    another = override_settings(CLARION_TOKEN_KEY="another deployment's key, long enough for HS256")
    with another, pytest.raises(TokenInvalid):
        tokens.verify(token)


@pytest.mark.parametrize("alg", ["none", "None", "HS384", "HS512", "RS256", ""])
def test_only_one_algorithm_is_accepted(alg: str) -> None:
    game = given_game()
    header, payload, signature = forged(game).split(".")
    known = json.loads(base64.urlsafe_b64decode(header + "=="))
    for ending in (signature, ""):
        with pytest.raises(TokenInvalid):
            tokens.verify(f"{encoded({**known, 'alg': alg})}.{payload}.{ending}")


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "\x00",
        "\ud800.e30.AAAA",
        "é.e30.AAAA",
        "A" * 1_000_000,
        *(
            f"{encoded({'alg': 'HS256', 'kid': kid})}.e30.AAAA"
            for kid in ("a\x00b", "\ud800", "' OR 1=1", "", 7, None, ["k"], "f" * 16, "F" * 5000, {"a": 1})
        ),
        f"{encoded(b'[' * 3_000)}.e30.AAAA",
        f"{encoded(b'{}')}.e30.AAAA",
        f"{encoded(b'[]')}.e30.AAAA",
        f"{encoded(bytes([255, 254]))}.e30.AAAA",
    ],
    ids=lambda token: ascii(token)[:24],
)
def test_garbage_is_refused_without_being_repeated(token: str) -> None:
    with pytest.raises(TokenInvalid) as refusal:
        tokens.verify(token)
    assert str(refusal.value) == "the token is not valid here"


def test_a_new_key_signs_and_the_old_one_still_verifies() -> None:
    game = given_game()
    old, _ = tokens.issue(game, "alice")
    key = tokens.rotate(game)
    new, _ = tokens.issue(game, "alice")
    assert jwt.get_unverified_header(new)["kid"] == key.kid != jwt.get_unverified_header(old)["kid"]
    assert tokens.verify(old).player == tokens.verify(new).player == "alice"


@pytest.mark.django_db(transaction=True)
def test_a_retired_key_s_tokens_are_refused_at_once_in_this_process() -> None:
    game = given_game()
    token, _ = tokens.issue(game, "alice")
    tokens.verify(token)
    assert tokens.retire(TokenKey.objects.filter(game=game)) == 1
    with pytest.raises(TokenInvalid):
        tokens.verify(token)


def aged(key: TokenKey, **age: float) -> TokenKey:
    TokenKey.objects.filter(pk=key.pk).update(created=datetime.now(UTC) - timedelta(**age))
    return key


def in_use(game: Game) -> set[str]:
    return set(TokenKey.objects.filter(game=game, retired=None).values_list("kid", flat=True))


def test_a_key_retires_by_itself_once_its_last_token_has_expired() -> None:
    game = given_game()
    aged(tokens.rotate(game), days=9)
    middle, newest = aged(tokens.rotate(game), hours=25), aged(tokens.rotate(game), hours=23)
    assert tokens.retire_outlived() == 1
    assert in_use(game) == {middle.kid, newest.kid}, "the middle one may have signed a day's token 23 h ago"


def test_the_key_that_signs_never_retires_by_itself() -> None:
    game, other = given_game(), given_game()
    only = aged(tokens.rotate(game), days=900)
    aged(tokens.rotate(other), days=3)
    assert tokens.retire_outlived() == 0
    assert in_use(game) == {only.kid}


def test_a_key_that_signs_again_because_its_follower_was_retired_stays() -> None:
    game = given_game()
    first, follower = aged(tokens.rotate(game), days=9), aged(tokens.rotate(game), days=5)
    tokens.retire(TokenKey.objects.filter(pk=follower.pk))
    assert tokens.retire_outlived() == 0
    assert in_use(game) == {first.kid}


def test_a_draft_is_no_token_and_always_signs_to_the_same_one() -> None:
    game = given_game()
    text = tokens.draft(game, "alice").text()
    token = tokens.sign(tokens.Draft.of(text))
    assert token == tokens.sign(tokens.Draft.of(text))
    assert token.rsplit(".", maxsplit=1)[1] not in text
    with pytest.raises(TokenInvalid):
        tokens.verify(text)
