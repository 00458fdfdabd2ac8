"""``/play/``: a player's page, its tokens, and buttons that make the game server send something."""

import json
import random
import time
from functools import lru_cache
from typing import Any

import httpx
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from config.demo import opening
from config.demo.catalogue import BY_NAME, PLAYERS, TYPES
from config.demo.expected import notification_ids
from config.demo.game_server import GameServer
from config.demo.happenings import on_request
from events.errors import EventsError
from events.models import Game
from events.problems import of_error, problem
from players import tokens
from players.admission import admitted

KEYS = frozenset(player.key for player in PLAYERS)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page needs nothing from elsewhere, and nothing inline."""


@require_GET
@never_cache
@ensure_csrf_cookie
def play(request: HttpRequest) -> HttpResponse:
    """Show the page; it exists while the demo is open."""
    game = _game()
    config = {
        "game": game.slug,
        "players": [
            {"key": each.key, "name": each.name, "locale": each.locale, "timezone": each.timezone}
            for each in PLAYERS
        ],
        "categories": list(
            dict.fromkeys(each.category for each in TYPES if each.notification_class == "inbox")
        ),
        "token_url": reverse("play-token"),
        "send_url": reverse("play-send"),
        "clock_url": reverse("play-clock"),
    }
    context = {
        "config": config,
        "types": TYPES,
        "players": PLAYERS,
        "simulated": not settings.CLARION_SERVICES,
    }
    answer = render(request, "demo/play.html", context)
    answer["Content-Security-Policy"] = POLICY
    return answer


@require_POST
@never_cache
def token(request: HttpRequest) -> HttpResponse:
    """Issue a token, for the demo's players only."""
    game, player = _game(), _player(request)
    if player is None:
        return problem(
            422, "invalid", "the demo has no such player", errors=[("/player", "is no player of the demo")]
        )
    try:
        admitted(game.pk, player)
    except EventsError as error:
        return of_error(error)
    issued, expires = tokens.issue(game, player)
    return JsonResponse(
        {"token": issued, "expires_at": expires.isoformat().replace("+00:00", "Z")}, status=201
    )


@require_POST
def send(request: HttpRequest) -> HttpResponse:
    """Let the game server send an event to a player; say which notifications it should come to."""
    game, player, kind = _game(), _player(request), _body(request).get("type")
    if player is None or not isinstance(kind, str) or kind not in BY_NAME:
        return problem(422, "invalid", "the demo has no such player or type of event")
    event = on_request(kind, player, random.Random())  # noqa: S311 - a game
    try:
        place = _server(_own_url(request), settings.CLARION_DEMO_KEY).send(event)
    except httpx.HTTPError as error:
        return problem(503, "unavailable", f"the game server could not send it ({type(error).__name__})")
    expected = notification_ids(game, kind, place, player)
    return JsonResponse({"id": event["id"], "notifications": expected}, status=202)


@require_GET
@never_cache
def clock(_request: HttpRequest) -> HttpResponse:
    """Tell the time in milliseconds: a page that measures latencies compares its clock with this one."""
    _game()
    return JsonResponse({"now": time.time() * 1000})


@lru_cache(maxsize=8)
def _server(url: str, key: str) -> GameServer:
    return GameServer(url, key)


def _own_url(request: HttpRequest) -> str:
    """Return where this very process listens: no proxy, name or certificate stands in between.

    A server on a Unix socket has no such address, and is called as its visitors call it.
    """
    host, port = request.META["SERVER_NAME"], request.META["SERVER_PORT"]
    if not str(port).isdigit() or int(port) == 0:
        return f"{request.scheme}://{request.get_host()}"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _game() -> Game:
    game = opening.open_game()
    if game is None:
        raise Http404("there is no demo here")
    return game


def _player(request: HttpRequest) -> str | None:
    player = _body(request).get("player")
    return player if isinstance(player, str) and player in KEYS else None


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
