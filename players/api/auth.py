"""Players' tokens for Django REST framework's views, and what web pages are let do with them."""

from typing import Any, cast

from django.http import HttpRequest
from django.utils.cache import patch_vary_headers
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events.errors import Unauthorized
from players import tokens
from players.admission import admitted
from players.api.bodies import BoundedJSON
from players.errors import OriginRefused
from players.models import Player
from players.origins import origin_allowed

CORS = {
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Allow-Methods": "GET, POST, PUT",
    "Access-Control-Expose-Headers": "Retry-After",
    "Access-Control-Max-Age": "600",
}


class PlayerTokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <player token>``, never an address: those are logged.

    ``request.user`` becomes the Player, ``request.auth`` the claims.
    """

    def authenticate(self, request: Request) -> tuple[Player, tokens.Claims]:
        """Return the player.

        Raises:
            Unauthorized, TokenInvalid, TokenExpired: there is no valid token.
            OriginRefused: the page's origin is not allowed.
            PlayerRefused: blocked or erased.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("a player's token is needed: Authorization: Bearer <token>")
        claims = tokens.verify(token.strip())
        if not origin_allowed(claims.game_id, request.headers.get("Origin"), request.get_host()):
            raise OriginRefused(f"the game {claims.game} does not allow pages of this origin")
        player = admitted(claims.game_id, claims.player)
        player.is_authenticated = True  # type: ignore[attr-defined] # what DRF asks of a user
        return player, claims

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return "Bearer"


def player_of(request: Request) -> Player:
    """Return the player of an authenticated request."""
    return cast("Player", request.user)


class PlayerTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How players' clients say who they are."""

    target_class = PlayerTokenAuthentication
    name = "playerToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return it in OpenAPI's words."""
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A player's token, from POST /api/v1/players/{player}/tokens",
        }


class PlayerView(APIView):
    """A view for players' clients, web pages among them.

    Which origins are allowed is the game's matter, and only the token names the game. A
    preflight carries no token, so every preflight is granted; it does nothing. The call itself
    is refused before it has any effect where its game does not allow its origin. Pages may
    read every answer, refusals too: without a token in the page's own hands there is none
    that tells anything, since no cookie counts here and credentials are never allowed.
    """

    authentication_classes = (PlayerTokenAuthentication,)
    parser_classes = (BoundedJSON,)

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """Answer a preflight."""
        return Response(status=204)

    def perform_authentication(self, request: Request) -> None:
        """Ask for a token, but not of a preflight."""
        if request.method != "OPTIONS":
            super().perform_authentication(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Let the page read the answer, and nobody keep it."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        patch_vary_headers(response, ["Origin"])
        if origin := request.headers.get("Origin"):
            response["Access-Control-Allow-Origin"] = origin
            for name, value in CORS.items():
                response[name] = value
        return response
