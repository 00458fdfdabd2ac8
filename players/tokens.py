"""Players' tokens: short-lived JWTs of a game's newest key, verified against all that are not retired."""

import re
import secrets
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import digest as hmac
from typing import Any

import jwt
import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from events.models import Game
from players.errors import TokenExpired, TokenInvalid
from players.models import TokenKey

ALGORITHM = "HS256"
TTL_S = 3_600
TTL_MIN_S, TTL_MAX_S = 60, 86_400
CACHE_S = 5.0
"""For so long another process may still accept a retired key."""
LEEWAY_S = 5
TOKEN_MAX = 8_192  # characters; ours have at most some 3,000
REQUIRED = ("exp", "nbf", "iat", "sub", "aud", "iss", "jti")
_KID = re.compile(r"[0-9a-f]{16}")
_INVALID = "the token is not valid here"


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a valid token says."""

    game_id: int
    game: str  # slug
    player: str  # the player's key
    expires: datetime
    jti: str
    is_authenticated: bool = True  # what DRF asks of a user


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A token before it is signed: no secret, and always the same token."""

    kid: str
    claims: Mapping[str, Any]

    @property
    def expires(self) -> datetime:
        """When the token ends."""
        return datetime.fromtimestamp(self.claims["exp"], UTC)

    def text(self) -> str:
        """Return it as JSON text, which may be stored: it lets nobody in."""
        return orjson.dumps({"kid": self.kid, "claims": self.claims}).decode()

    @classmethod
    def of(cls, text: str) -> "Draft":
        """Read what ``text`` has written."""
        return cls(**orjson.loads(text))


@dataclass(frozen=True, kw_only=True)
class _Key:
    game_id: int
    game: str
    secret: bytes


_keys: dict[str, tuple[float, _Key]] = {}
_lock = threading.Lock()


def issue(game: Game, player: str, ttl_s: int = TTL_S) -> tuple[str, datetime]:
    """Return a token for a player of a game, and when it expires.

    Raises:
        ValueError: a time to live outside of 60 s to 24 h.
    """
    made = draft(game, player, ttl_s)
    return sign(made), made.expires


def draft(game: Game, player: str, ttl_s: int = TTL_S) -> Draft:
    """Return what a token is to say; a game's first one makes its key. Raises as ``issue``."""
    if not TTL_MIN_S <= ttl_s <= TTL_MAX_S:
        raise ValueError(f"a token lives {TTL_MIN_S} to {TTL_MAX_S} seconds, not {ttl_s}")
    key = TokenKey.objects.filter(game=game, retired=None).order_by("-created", "-id").first() or rotate(game)
    now = int(time.time())
    claims = {
        "iss": settings.CLARION_TOKEN_ISSUER,
        "aud": game.slug,
        "sub": player,
        "iat": now,
        "nbf": now,
        "exp": now + ttl_s,
        "jti": str(uuid.uuid4()),
    }
    return Draft(kid=key.kid, claims=claims)


def sign(draft: Draft) -> str:
    """Return the token of a draft."""
    salt = TokenKey.objects.values_list("salt", flat=True).get(kid=draft.kid)
    headers = {"kid": draft.kid}
    return jwt.encode(dict(draft.claims), _secret(bytes(salt)), algorithm=ALGORITHM, headers=headers)


def verify(token: str) -> Claims:
    """Return what a token says. Signature, key, issuer, game and times are checked; blocking is not.

    Raises:
        TokenExpired: it was valid once.
        TokenInvalid: it is not, whatever the reason; the text does not repeat it.
    """
    try:
        key = _key(_kid(token))
        claims = jwt.decode(
            token,
            key.secret,
            algorithms=[ALGORITHM],
            issuer=settings.CLARION_TOKEN_ISSUER,
            audience=key.game,
            leeway=LEEWAY_S,
            options={"require": list(REQUIRED)},
        )
        expires = datetime.fromtimestamp(claims["exp"], UTC)
    except jwt.ExpiredSignatureError:
        raise TokenExpired("the token has expired; get a new one") from None
    except (jwt.InvalidTokenError, ValueError, OverflowError):
        raise TokenInvalid(_INVALID) from None
    return Claims(
        game_id=key.game_id, game=key.game, player=claims["sub"], expires=expires, jti=claims["jti"]
    )


def rotate(game: Game) -> TokenKey:
    """Make a new key for a game: it signs from now on, the others verify until they are retired."""
    return TokenKey.objects.create(game=game, kid=secrets.token_hex(8), salt=secrets.token_bytes(32))


def retire(keys: "QuerySet[TokenKey]") -> int:
    """Refuse every token that these keys have signed; return how many were in use.

    In this process at once, elsewhere within ``CACHE_S``.
    """
    count = keys.filter(retired=None).update(retired=datetime.now(UTC))
    if count:
        transaction.on_commit(forget)
    return count


def retire_outlived() -> int:
    """Retire keys that a newer one has followed so long ago that all their tokens have expired."""
    long_ago = datetime.now(UTC) - timedelta(seconds=TTL_MAX_S + LEEWAY_S)
    later = Q(created__gt=OuterRef("created")) | Q(created=OuterRef("created"), id__gt=OuterRef("id"))
    followers = TokenKey.objects.filter(later, game=OuterRef("game"), retired=None, created__lt=long_ago)
    return retire(TokenKey.objects.filter(Exists(followers)))


def forget() -> None:
    """Look every key up again."""
    with _lock:
        _keys.clear()


def _kid(token: str) -> str:
    """Return the name of the key that a token asks for.

    Only names of the shape that we give reach the database, which would choke on others.
    """
    if len(token) > TOKEN_MAX:
        raise TokenInvalid(_INVALID)
    kid = jwt.get_unverified_header(token).get("kid")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise TokenInvalid(_INVALID)
    return kid


def _key(kid: str) -> _Key:
    entry = _keys.get(kid)
    if entry is not None and entry[0] >= time.monotonic():
        return entry[1]
    row = TokenKey.objects.select_related("game").filter(kid=kid, retired=None).first()
    if row is None:
        raise TokenInvalid(_INVALID)
    key = _Key(game_id=row.game_id, game=row.game.slug, secret=_secret(bytes(row.salt)))
    with _lock:
        _keys[kid] = (time.monotonic() + CACHE_S, key)
    return key


def _secret(salt: bytes) -> bytes:
    """Derive a key's secret: the database alone cannot sign."""
    return hmac(settings.CLARION_TOKEN_KEY.encode(), b"clarion player token" + salt, sha256)
