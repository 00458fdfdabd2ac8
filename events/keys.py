"""API keys: minted once, stored as a hash, checked without a query on the hot path.

A secret has 256 random bits, so a plain SHA-256 is as good as a slow hash: there is
nothing to guess.
"""

import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from django.db.models import QuerySet

from events.errors import Forbidden, Unauthorized
from events.models import ApiKey, Game

SCOPES = frozenset({"events:write", "events:read", "players:write", "players:read", "tokens:issue"})
PREFIX = "clk_"
CACHE_S = 1.0
"""For so long another process may still accept a revoked key."""
USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whoever sent a request with a valid key."""

    key_id: int
    game_id: int
    game: str  # slug
    scopes: frozenset[str]
    rate_limit: int | None  # a minute
    expires: datetime | None
    is_authenticated: bool = field(default=True, repr=False)  # what DRF asks of a user

    def require(self, scope: str) -> None:
        """Check a scope.

        Raises:
            Forbidden: the key does not have it.
        """
        if scope not in self.scopes:
            raise Forbidden(
                f"this key lacks the scope {scope}; it has: {', '.join(sorted(self.scopes)) or 'none'}"
            )


_cache: dict[str, tuple[float, Caller]] = {}
_used: dict[int, datetime] = {}
_lock = threading.Lock()


def issue(
    game: Game,
    name: str,
    scopes: Iterable[str] = SCOPES,
    expires: datetime | None = None,
    secret: str | None = None,
) -> str:
    """Make a key and return its secret, which nobody can read again.

    ``secret`` is for keys that a deployment keeps elsewhere, such as the demo's.

    Raises:
        ValueError: a scope that does not exist.
    """
    unknown = set(scopes) - SCOPES
    if unknown:
        raise ValueError(
            f"no such scopes: {', '.join(sorted(unknown))}; there are {', '.join(sorted(SCOPES))}"
        )
    key = ApiKey(game=game, name=name, scopes=sorted(scopes), expires=expires)
    secret = mint(key, secret)
    key.save()
    return secret


def mint(key: ApiKey, secret: str | None = None) -> str:
    """Give an unsaved key its secret, and return it."""
    secret = secret or new_secret()
    key.prefix = secret[:12]
    key.digest = digest_of(secret)
    return secret


def new_secret() -> str:
    """Return a fresh secret."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """Return what is stored of a secret."""
    return sha256(secret.encode()).hexdigest()


def revoke(keys: "QuerySet[ApiKey]") -> int:
    """Refuse these keys from now on, here at once; return how many were valid."""
    count = keys.filter(revoked=None).update(revoked=datetime.now(UTC))
    forget()
    return count


def cached(authorization: str | None) -> Caller | None:
    """Return the caller of an Authorization header without any query, if this process knows them.

    Raises:
        Unauthorized: no key, or one that has expired meanwhile.
    """
    entry = _cache.get(digest_of(_secret(authorization)))
    if entry is None or entry[0] < time.monotonic():
        return None
    return _in_time(entry[1])


def verify(authorization: str | None) -> Caller:
    """Return the caller of an Authorization header.

    Raises:
        Unauthorized: no key, a wrong one, a revoked or expired one.
    """
    if (known := cached(authorization)) is not None:
        return known
    digest = digest_of(_secret(authorization))
    row = ApiKey.objects.select_related("game").filter(digest=digest, revoked=None).first()
    if row is None:
        raise Unauthorized("this API key is wrong or revoked")
    caller = _in_time(_caller(row))
    _note_use(row)
    with _lock:
        if len(_cache) > 10_000:  # noqa: PLR2004 - a bound, not a setting
            _cache.clear()
        _cache[digest] = (time.monotonic() + CACHE_S, caller)
    return caller


def forget() -> None:
    """Look every key up again."""
    with _lock:
        _cache.clear()
        _used.clear()


def _secret(authorization: str | None) -> str:
    scheme, _, secret = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthorized("an API key is needed: Authorization: Bearer <key>")
    return secret.strip()


def _caller(row: ApiKey) -> Caller:
    return Caller(
        key_id=row.pk,
        game_id=row.game_id,
        game=row.game.slug,
        scopes=frozenset(row.scopes),
        rate_limit=row.rate_limit,
        expires=row.expires,
    )


def _in_time(caller: Caller) -> Caller:
    if caller.expires is not None and caller.expires <= datetime.now(UTC):
        raise Unauthorized(f"this API key has expired at {caller.expires:%Y-%m-%dT%H:%M:%SZ}")
    return caller


def _note_use(row: ApiKey) -> None:
    """Write the time of use, at most once a minute."""
    now = datetime.now(UTC)
    last = _used.get(row.pk) or row.last_used
    if last is None or now - last >= USED_EVERY:
        _used[row.pk] = now
        ApiKey.objects.filter(pk=row.pk).update(last_used=now)
