"""Players for game servers: profile, erasure, tokens."""

import re
from typing import Any, ClassVar

import orjson
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events import idempotency, log
from events.api.auth import ApiKeyAuthentication, HasScope, caller_of
from events.api.documents import problems
from events.envelope.attributes import player_problem
from events.errors import InvalidEvent
from events.hubs.progress import wait_until_reached
from events.lanes import Lane
from events.log.partitions import partition_ids
from events.models import Game
from players import tokens
from players.admission import living
from players.api.bodies import body_of
from players.api.shapes import ErasureOut, PlaceOut, ProfileIn, ProfileOut, TokenIn, TokenOut
from players.attributes import canonical
from players.erasing import erase
from players.errors import NotThere, NotYet, PlayerErased, PlayerRefused
from players.hubs import PROFILES
from players.models import Player, Profile
from players.presence import is_present

AT_LEAST_S = 2.0
_AT_LEAST = re.compile(r"([0-9]{1,3}):([0-9]{1,18})")
PLAYER = OpenApiParameter(
    "player",
    {"type": "string", "minLength": 1, "maxLength": 128},
    OpenApiParameter.PATH,
    description="The game's own id of the player, percent-encoded; no control characters",
)
AT_LEAST = OpenApiParameter(
    "at_least",
    {"type": "string", "pattern": r"^[0-9]{1,3}:[0-9]{1,18}$"},
    description="partition:offset, such as a PUT was answered. Waits up to 2 s until the profile has reached"
    " that place; 504 (`not-yet`) if it has not by then",
)
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Repeats within 24 h get the same token",
)


class GameServerView(APIView):
    """A view for game servers, below a player's address."""

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (HasScope,)

    @staticmethod
    def key_of(player: str) -> str:
        """Return a usable player's id.

        Raises:
            InvalidEvent: it is too long or holds control characters.
        """
        if problem := player_problem(player):
            raise InvalidEvent([("", f"the player's id {problem}")])
        return player

    def row_of(self, request: Request, player: str) -> Player:
        """Return the player's row, which may be a tombstone.

        Raises:
            NotThere: there is none.
        """
        caller = caller_of(request)
        row = Player.objects.filter(game_id=caller.game_id, key=self.key_of(player)).first()
        if row is None:
            raise NotThere(f"the game {caller.game} has no such player")
        return row


class PlayerProfileView(GameServerView):
    """One player."""

    scopes: ClassVar[dict[str, str]] = {
        "GET": "players:read",
        "PUT": "players:write",
        "DELETE": "players:write",
    }

    @extend_schema(
        parameters=[PLAYER],
        request=ProfileIn,
        responses={202: PlaceOut, **problems(400, 401, 403, 404, 405, 410, 413, 415, 422, 429, 503)},
    )
    def put(self, request: Request, player: str) -> Response:
        """Change a player's profile: appends ``player.updated``, and the profile follows."""
        key, game_id = self.key_of(player), caller_of(request).game_id
        form = ProfileIn(data=body_of(request)[1])
        form.is_valid(raise_exception=True)
        living(game_id, key)
        outcome = log.append_own(
            game_id=game_id,
            event_id=log.new_id(),
            type="player.updated",
            stream=key,
            data=orjson.dumps({"player_id": key, **form.validated_data}).decode(),
            lane=Lane.URGENT,
        )
        return Response(_place(outcome), status=202)

    @extend_schema(
        parameters=[PLAYER, AT_LEAST],
        responses={200: ProfileOut, **problems(401, 403, 404, 405, 410, 422, 429, 503, 504)},
    )
    def get(self, request: Request, player: str) -> Response:
        """Return a player's profile."""
        if (at_least := request.query_params.get("at_least")) is not None:
            _wait(caller_of(request).game_id, at_least)
        row = self.row_of(request, player)
        if row.erased:
            raise PlayerErased
        return Response(_described(row))

    @extend_schema(
        parameters=[PLAYER],
        responses={202: ErasureOut, **problems(401, 403, 404, 405, 422, 429, 503)},
    )
    def delete(self, request: Request, player: str) -> Response:
        """Erase a player: all that is known of them goes, no later event brings it back. May be repeated."""
        erase(self.row_of(request, player))
        return Response({"status": "accepted"}, status=202)


class PlayerTokensView(GameServerView):
    """A player's tokens."""

    scopes: ClassVar[dict[str, str]] = {"POST": "tokens:issue"}

    @extend_schema(
        parameters=[PLAYER, IDEMPOTENCY],
        request=TokenIn,
        responses={201: TokenOut, **problems(400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 503)},
    )
    def post(self, request: Request, player: str) -> Response:
        """Issue a token for the player's client. A player who is not known yet is made."""
        key, caller = self.key_of(player), caller_of(request)
        body, wanted = body_of(request)
        form = TokenIn(data=wanted)
        form.is_valid(raise_exception=True)
        repeat = idempotency.key_of(request.headers.get("Idempotency-Key"))
        if living(caller.game_id, key).blocked:
            raise PlayerRefused("this player is blocked")
        game = Game.objects.get(pk=caller.game_id)

        def draft() -> str:
            return tokens.draft(game, key, form.validated_data["ttl_s"]).text()

        asked = repeat and idempotency.Asked(
            api_key=caller.key_id, route=f"POST players/{key}/tokens", key=repeat, payload=body
        )
        made = tokens.Draft.of(idempotency.once(asked, draft) if asked else draft())
        answer = {"token": tokens.sign(made), "expires_at": made.expires}
        return Response(answer, status=201, headers={"Cache-Control": "no-store"})


def _wait(game_id: int, at_least: str) -> None:
    """Wait until the profile has reached a place; a player's events are all urgent.

    504, not 503: Clarion serves, and only this answer is late; a client or a balancer that
    takes a 503 as the sign of a sick server would turn away from a healthy one.
    """
    found = _AT_LEAST.fullmatch(at_least)
    ids = partition_ids(game_id)
    if found is None or int(found[1]) >= len(ids):
        raise InvalidEvent(
            [("/at_least", f"takes partition:offset with a partition from 0 to {len(ids) - 1}")]
        )
    if not wait_until_reached(PROFILES.name, ids[int(found[1])], Lane.URGENT, int(found[2]), AT_LEAST_S):
        raise NotYet(f"the profile has not reached {at_least} within {AT_LEAST_S} s; ask again")


def _described(row: Player) -> dict[str, Any]:
    profile = Profile.objects.filter(player=row).first() or Profile(player=row)
    return {
        "player": row.key,
        "locale": profile.locale,
        "timezone": profile.timezone,
        "display_name": profile.display_name,
        "attributes": canonical(profile.attributes),
        "revision": profile.revision,
        "present": is_present(row.pk),
        "created": row.created,
    }


def _place(outcome: log.Outcome) -> dict[str, Any]:
    assert not isinstance(outcome, log.Conflict)
    return {
        "status": "appended",
        "stream": outcome.stream,
        "version": outcome.version,
        "partition": outcome.partition,
        "offset": outcome.offset,
    }
