"""A player's inbox and announcements, over HTTP."""

from typing import Any, ClassVar
from uuid import UUID

import orjson
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from events.api.documents import problems
from events.models import Game
from notifications import announcements
from notifications.api.fields import Category
from notifications.frames import described
from notifications.inbox import Action, Kind, apply
from notifications.inbox.pages import LIMIT_MAX, page
from notifications.inbox.states import IDS_MAX
from players.api.auth import PlayerView, player_of
from players.api.bodies import body_of

NUMBER_MAX = 2**63 - 1


class InboxQuery(serializers.Serializer):  # type: ignore[type-arg]
    """What a page is asked for with."""

    before = serializers.IntegerField(required=False, min_value=0, max_value=NUMBER_MAX)
    limit = serializers.IntegerField(required=False, default=30, min_value=1, max_value=LIMIT_MAX)
    unread = serializers.BooleanField(required=False, default=False)
    category = Category(required=False)


class NotificationOut(serializers.Serializer):  # type: ignore[type-arg]
    """A notification."""

    number = serializers.IntegerField(allow_null=True)
    seq = serializers.IntegerField()
    id = serializers.UUIDField()
    title = serializers.CharField()
    body = serializers.CharField()
    category = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment] # a field, as DRF collects them
    actions = serializers.ListField()
    created = serializers.DateTimeField()
    expires = serializers.DateTimeField(allow_null=True)
    read = serializers.DateTimeField(allow_null=True)
    seen = serializers.DateTimeField(allow_null=True)
    archived = serializers.DateTimeField(allow_null=True)
    claimed = serializers.DateTimeField(allow_null=True)
    replaces = serializers.UUIDField(allow_null=True)

    def get_fields(self) -> Any:
        """Add ``class``, which is no name in Python."""
        return {
            **super().get_fields(),
            "class": serializers.ChoiceField(choices=["inbox", "live", "announcement"]),
        }


class InboxOut(serializers.Serializer):  # type: ignore[type-arg]
    """A page of an inbox."""

    items = NotificationOut(many=True)
    epoch = serializers.CharField()
    head = serializers.IntegerField()
    unread = serializers.IntegerField()
    next = serializers.IntegerField(allow_null=True)


class StateIn(serializers.Serializer):  # type: ignore[type-arg]
    """Which notifications: some, or all up to a number."""

    ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=IDS_MAX)
    through = serializers.IntegerField(required=False, min_value=0, max_value=NUMBER_MAX)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of both."""
        if len(attrs) != 1:
            raise serializers.ValidationError('give either "ids" or "through"')
        return attrs


class IdsIn(serializers.Serializer):  # type: ignore[type-arg]
    """Which notifications."""

    ids = serializers.ListField(child=serializers.UUIDField(), max_length=IDS_MAX)


class StateOut(serializers.Serializer):  # type: ignore[type-arg]
    """Where the player stands."""

    head = serializers.IntegerField()
    unread = serializers.IntegerField()


class InboxView(PlayerView):
    """``GET /api/v1/inbox``."""

    @extend_schema(parameters=[InboxQuery], responses={200: InboxOut, **problems(401, 403, 405, 422, 503)})
    def get(self, request: Request) -> Response:
        """Return what is in the inbox, newest first."""
        query = InboxQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        player = player_of(request)
        found = page(
            player,
            before=asked.get("before"),
            limit=asked["limit"],
            unread=asked["unread"],
            category=asked.get("category"),
        )
        epoch = Game.objects.get(pk=player.game_id).epoch_name
        body = {
            "items": found.items,
            "epoch": epoch,
            "head": player.head,
            "unread": player.unread,
            "next": found.next,
        }
        return Response(_plain(body))


class StateView(PlayerView):
    """``POST /api/v1/inbox/read``, ``/seen`` and ``/archive``."""

    kind: ClassVar[Kind]
    form: ClassVar[type[serializers.Serializer[Any]]] = StateIn

    @extend_schema(
        request=StateIn, responses={200: StateOut, **problems(400, 401, 403, 405, 413, 415, 422, 503)}
    )
    def post(self, request: Request) -> Response:
        """Change the state of notifications; repeats change nothing."""
        form = self.form(data=body_of(request)[1])
        form.is_valid(raise_exception=True)
        ids: list[UUID] = form.validated_data.get("ids", [])
        action = Action(
            player_id=player_of(request).pk,
            kind=self.kind,
            ids=tuple(ids),
            through=form.validated_data.get("through"),
        )
        result = apply([action])[player_of(request).pk]
        return Response({"head": result.head, "unread": result.unread})


class ReadView(StateView):
    """Read."""

    kind = Kind.READ


class SeenView(StateView):
    """Seen."""

    kind = Kind.SEEN


class ArchiveView(StateView):
    """Archive."""

    kind = Kind.ARCHIVE
    form = IdsIn

    @extend_schema(
        request=IdsIn, responses={200: StateOut, **problems(400, 401, 403, 405, 413, 415, 422, 503)}
    )
    def post(self, request: Request) -> Response:
        """Archive notifications; repeats change nothing."""
        return super().post(request)


class AnnouncementsOut(serializers.Serializer):  # type: ignore[type-arg]
    """What a game announces."""

    items = NotificationOut(many=True)
    announcements = serializers.IntegerField()


class AnnouncementsView(PlayerView):
    """``GET /api/v1/announcements``."""

    @extend_schema(responses={200: AnnouncementsOut, **problems(401, 403, 405, 503)})
    def get(self, request: Request) -> Response:
        """Return the current announcements."""
        player = player_of(request)
        head = Game.objects.get(pk=player.game_id).announcements  # first, so that items may only be newer
        rows = announcements.current(player.game_id)
        read = announcements.read_by(player.pk, rows)
        items = [described(announcements.item(row, read.get(row.pk))) for row in rows]
        return Response(_plain({"items": items, "announcements": head}))


def _plain(body: dict[str, Any]) -> Any:
    """Resolve the JSON fragments that frames are made of."""
    return orjson.loads(orjson.dumps(body))
