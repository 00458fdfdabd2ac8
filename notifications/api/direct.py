"""``POST /api/v1/notifications``: notifies players without a rule. It too goes through the log."""

from typing import Any, ClassVar

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events import idempotency, log, pressure
from events.api.auth import ApiKeyAuthentication, HasScope, caller_of
from events.api.documents import problems
from events.envelope import MAX_EVENT_BYTES, Envelope
from events.lanes import Lane
from notifications import rulebook
from notifications.api.fields import Category, Moment, PlayerKey, Text, Title
from notifications.delivery import outlets
from notifications.engine import POSTED
from notifications.engine.content import CHANNEL_MAX, CHANNELS_MAX, are_channels, bounded
from notifications.engine.templates import RenderFailed
from notifications.engine.texts import BODY_MAX
from players.api.bodies import body_of
from players.errors import BodyTooLarge

PLAYERS_MAX = 1_000
ID_MAX = 255
SOURCE = "clarion:direct"
ROUTE = "POST notifications"
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Where the post has no id of its own: repeats within 24 h are done once, and answered the same",
)


class DirectIn(serializers.Serializer):  # type: ignore[type-arg]
    """What players are to be told."""

    id = Text(max_length=ID_MAX, required=False, help_text="Makes repeats harmless, for ever")
    players = serializers.ListField(child=PlayerKey(), min_length=1, max_length=PLAYERS_MAX)
    category = Category(default="general")
    title = Title()
    body = Text(max_length=BODY_MAX, allow_blank=True, default="")
    channels = serializers.ListField(
        child=Text(max_length=CHANNEL_MAX),
        max_length=CHANNELS_MAX,
        required=False,
        help_text="By which other channels it is brought as well, such as webhook",
    )
    expires = Moment(required=False, allow_null=True, help_text="RFC 3339; class live needs it")

    def get_fields(self) -> Any:
        """Add ``class``, which is no name in Python, and ``data``, which is one of DRF's."""
        return {
            **super().get_fields(),
            "class": serializers.ChoiceField(choices=["inbox", "live"], default="inbox"),
            "data": serializers.DictField(required=False, help_text="At most 8 KiB of JSON"),
        }

    def validate_data(self, value: dict[str, Any]) -> dict[str, Any]:
        """Refuse now what the engine would refuse for each player."""
        try:
            return bounded(value)
        except RenderFailed as error:
            raise serializers.ValidationError(str(error)) from None

    def validate_channels(self, value: list[str]) -> list[str]:
        """Refuse what the game has not set up; what is only switched off is taken, and brings nothing."""
        known = outlets.known(self.context["game_id"])
        if not are_channels(value) or not known.issuperset(value):
            there = ", ".join(sorted(known)) or "no channel"
            raise serializers.ValidationError(
                f"takes different channels of this game, which has {there} set up"
            )
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what is live and has no end."""
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
        parameters=[IDEMPOTENCY],
        request=DirectIn,
        responses={202: DirectOut, **problems(400, 401, 403, 405, 409, 413, 415, 422, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        """Notify players. With the same id, or the same Idempotency-Key, it is done once."""
        game_id = caller_of(request).game_id
        payload, wanted = body_of(request)
        form = DirectIn(data=wanted, context={"game_id": game_id})
        form.is_valid(raise_exception=True)
        pressure.admit(game_id, Lane.NORMAL)
        post = dict(form.validated_data)
        given_id = post.pop("id", None)
        envelope = _envelope(given_id or _lasting_id(request, payload), post)
        rulebook.ensure_direct(game_id)
        outcome = log.append(game_id, [log.Entry(envelope=envelope, lane=Lane.NORMAL)])[0]
        repeated = given_id is not None and isinstance(outcome, log.Duplicate)
        place = {name: getattr(outcome, name) for name in ("id", "stream", "version", "partition", "offset")}
        return Response({"status": "duplicate" if repeated else "appended", **place}, status=202)


def _lasting_id(request: Request, payload: bytes) -> str:
    """Return an id for a post without one; repeats under its Idempotency-Key get the same.

    What is kept under the key is this id, before anything is appended. So a process that
    dies in between costs nothing: the log knows the id, or takes it now. The answer to a
    repeat is the first one, since an event's place never changes.
    """
    key = idempotency.key_of(request.headers.get("Idempotency-Key"))
    if key is None:
        return log.new_id()
    caller = caller_of(request)
    asked = idempotency.Asked(api_key=caller.key_id, route=ROUTE, key=key, payload=payload)
    return idempotency.once(asked, log.new_id)


def _envelope(event_id: str, post: dict[str, Any]) -> Envelope:
    expires = post.pop("expires", None)
    data = msgspec.json.encode(post)
    if len(data) > MAX_EVENT_BYTES:
        raise BodyTooLarge(MAX_EVENT_BYTES)
    return Envelope(
        id=event_id, source=SOURCE, type=POSTED["event_type"], subject=None, time=None,
        datacontenttype="application/json", dataschema=None, data=data.decode(), data_encoding="json",
        stream=f"{SOURCE}#{event_id}", expected_version=None, expires=expires, traceparent="", extensions="{}",
    )  # fmt: skip
