"""``/play/``: a player's page, its tokens, and buttons that make the game server send something."""

import json
import random
from functools import cache
from typing import Any

import httpx
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from config.demo.catalogue import BY_NAME, PLAYERS, TYPES
from config.demo.game_server import GameServer
from config.demo.happenings import on_request
from config.demo.install import SLUG
from events.models import Game
from events.problems import problem
from players import tokens
from players.known import ensure

KEYS = frozenset(player.key for player in PLAYERS)


@require_GET
@ensure_csrf_cookie
def play(request: HttpRequest) -> HttpResponse:
    """Show the page; it exists while the demo game does."""
    _game()
    config = {
        "game": SLUG,
        "players": [{"key": each.key, "name": each.name, "locale": each.locale} for each in PLAYERS],
        "token_url": reverse("play-token"),
        "send_url": reverse("play-send"),
        "types": [
            {"type": each.name, "label": each.label, "description": each.description} for each in TYPES
        ],
    }
    return render(request, "demo/play.html", {"config": config})


@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """Issue a token, for the demo's players only."""
    game, player = _game(), _player(request)
    if player is None:
        return problem(
            422, "invalid", "the demo has no such player", errors=[("/player", "is no player of the demo")]
        )
    ensure(game.pk, [player])
    issued, expires = tokens.issue(game, player)
    return JsonResponse(
        {"token": issued, "expires_at": expires.isoformat().replace("+00:00", "Z")}, status=201
    )


@require_POST
def send(request: HttpRequest) -> HttpResponse:
    """Let the game server send an event to a player."""
    _game()
    player, kind = _player(request), str(_body(request).get("type", ""))
    if player is None or kind not in BY_NAME:
        return problem(422, "invalid", "the demo has no such player or type of event")
    event = on_request(kind, player, random.Random())  # noqa: S311 - a game
    try:
        _server(f"{request.scheme}://{request.get_host()}").send(event)
    except httpx.HTTPError as error:
        return problem(503, "unavailable", f"the game server could not send it ({type(error).__name__})")
    return JsonResponse({"id": event["id"]}, status=202)


@cache
def _server(url: str) -> GameServer:
    return GameServer(url, settings.CLARION_DEMO_KEY)


def _game() -> Game:
    game = Game.objects.filter(slug=SLUG).first()
    if game is None:
        raise Http404("there is no demo game here")
    return game


def _player(request: HttpRequest) -> str | None:
    player = _body(request).get("player")
    return player if isinstance(player, str) and player in KEYS else None


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
