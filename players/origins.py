"""From which web pages a game's players may connect."""

import threading
import time
from typing import Any

from events.models import Game

CACHE_S = 5.0
"""For so long another process may still go by the list as it was."""
ANY = "*"

_allowed: dict[int, tuple[float, frozenset[str]]] = {}
_lock = threading.Lock()


def origin_allowed(game_id: int, origin: str | None, host: str | None = None) -> bool:
    """Tell whether a page of this origin may act for the game's players.

    Clients without an Origin header are no web pages and are allowed; so is a page that
    Clarion itself serves (``host`` is the request's, which Django has checked).
    """
    if not origin:
        return True
    wanted = _written(origin)
    if host and wanted in {f"http://{host.lower()}", f"https://{host.lower()}"}:
        return True
    allowed = _of(game_id)
    return ANY in allowed or wanted in allowed


def forget() -> None:
    """Read every game's origins again."""
    with _lock:
        _allowed.clear()


def _of(game_id: int) -> frozenset[str]:
    entry = _allowed.get(game_id)
    if entry is not None and entry[0] >= time.monotonic():
        return entry[1]
    listed = Game.objects.values_list("allowed_origins", flat=True).get(pk=game_id)
    allowed = _read(listed)
    with _lock:
        _allowed[game_id] = (time.monotonic() + CACHE_S, allowed)
    return allowed


def _read(listed: Any) -> frozenset[str]:
    """Read what staff have listed; what is no list of texts allows nothing."""
    if not isinstance(listed, list):
        return frozenset()
    return frozenset(_written(origin) for origin in listed if isinstance(origin, str))


def _written(origin: str) -> str:
    """Return an origin as browsers write it: small letters, no default port, no path."""
    text = origin.strip().rstrip("/").lower()
    for scheme, port in (("http://", ":80"), ("https://", ":443")):
        if text.startswith(scheme):
            return text.removesuffix(port)
    return text
