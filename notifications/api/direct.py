"""``POST /api/v1/notifications``: notifies players without a rule. It too goes through the log."""

from typing import Any, ClassVar

import msgspec
import orjson
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events import log
from events.api.auth import ApiKeyAuthentication, HasScope, caller_of
from events.api.documents import problems
from events.envelope import MAX_EVENT_BYTES, Envelope
from events.envelope.attributes import player_problem
from events.envelope.hazards import problems_in
from events.errors import InvalidEvent
from events.lanes import Lane
from notifications import rulebook
from notifications.engine import POSTED
from players.errors import PlayersError

PLAYERS_MAX = 1_000
SOURCE = "clarion:direct"


class TooLong(PlayersError):
    """The whole post is larger than one event may be."""

    status = 413  # type: ignore[assignment]
    slug = "too-large"


class DirectIn(serializers.Serializer):  # type: ignore[type-arg]
    """What players are to be told."""

    id = serializers.CharField(max_length=200, required=False, help_text="Makes repeats harmless")
    players = serializers.ListField(
        child=serializers.CharField(max_length=128), min_length=1, max_length=PLAYERS_MAX
    )
    category = serializers.RegexField(r"^[A-Za-z0-9_-]{1,40}$", default="general")
    title = serializers.CharField(max_length=200)
    body = serializers.CharField(max_length=4_000, required=False, allow_blank=True, default="")
    data = serializers.DictField(required=False)  # type: ignore[assignment] # a field, as DRF collects them
    expires = serializers.DateTimeField(required=False, allow_null=True)

    def get_fields(self) -> Any:
        """Add ``class``, which is no name in Python."""
        kinds = serializers.ChoiceField(choices=["inbox", "live"], default="inbox")
        return {**super().get_fields(), "class": kinds}

    def validate_players(self, value: list[str]) -> list[str]:
        """Each must be a usable id."""
        for player in value:
            if problem := player_problem(player):
                raise serializers.ValidationError(problem)
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for an end of what is live."""
        if attrs["class"] == "live" and not attrs.get("expires"):
            raise serializers.ValidationError({"expires": "class live needs it"})
        return attrs


class DirectOut(serializers.Serializer):  # type: ignore[type-arg]
    """Where the post stands in the log."""

    status = serializers.ChoiceField(choices=["appended", "duplicate"])
    id = serializers.CharField()
    stream = serializers.CharField()
    version = serializers.IntegerField()
    partition = serializers.IntegerField()
    offset = serializers.IntegerField()


class DirectView(APIView):
    """Direct posts."""

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (HasScope,)
    scopes: ClassVar[dict[str, str]] = {"POST": "events:write"}

    @extend_schema(
        request=DirectIn, responses={202: DirectOut, **problems(400, 401, 403, 413, 415, 422, 429, 503)}
    )
    def post(self, request: Request) -> Response:
        """Notify players. With the same id it is done once."""
        if hazards := problems_in(orjson.dumps(_safe(request.data)).decode(), ""):
            raise InvalidEvent(hazards)
        form = DirectIn(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = dict(form.validated_data)
        event_id = (
            wanted.pop("id", None)
            or request.headers.get("Idempotency-Key", "").strip('"')[:200]
            or log.new_id()
        )
        rulebook.ensure_direct(caller_of(request).game_id)
        outcome = log.append(
            caller_of(request).game_id, [log.Entry(envelope=_envelope(event_id, wanted), lane=Lane.NORMAL)]
        )[0]
        assert not isinstance(outcome, log.Conflict)
        status = "appended" if isinstance(outcome, log.Appended) else "duplicate"
        place = {name: getattr(outcome, name) for name in ("id", "stream", "version", "partition", "offset")}
        return Response({"status": status, **place}, status=202)


def _envelope(event_id: str, wanted: dict[str, Any]) -> Envelope:
    expires = wanted.pop("expires", None)
    data = msgspec.json.encode(wanted).decode()
    if len(data) > MAX_EVENT_BYTES:
        raise TooLong(f"the post takes {len(data)} bytes; at most {MAX_EVENT_BYTES} are allowed")
    return Envelope(
        id=event_id, source=SOURCE, type=POSTED["event_type"], subject=None, time=None,
        datacontenttype="application/json", dataschema=None, data=data, data_encoding="json",
        stream=f"{SOURCE}#{event_id}", expected_version=None, expires=expires, traceparent="", extensions="{}",
    )  # fmt: skip


def _safe(data: Any) -> Any:
    """Refuse what cannot be encoded at all."""
    try:
        orjson.dumps(data)
    except orjson.JSONEncodeError:
        raise InvalidEvent([("", "holds text or a number that cannot be kept")]) from None
    return data
