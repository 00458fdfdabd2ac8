"""``GET /api/v1/events``: the log, page by page, and the address that both methods share."""

import base64
import binascii
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
from asgiref.sync import markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from events.api.auth import ApiKeyAuthentication, HasScope, caller_of
from events.api.documents import (
    APPENDED,
    APPENDING_PROBLEMS,
    BINARY,
    INGESTION,
    LEFT,
    READING_PROBLEMS,
    WHEN_TO_COME_BACK,
    EventPage,
)
from events.api.ingestion import ingest
from events.envelope import to_cloudevent
from events.envelope.hazards import text_problem
from events.errors import InvalidEvent
from events.log.partitions import partition_ids
from events.log.read import page
from events.models import Event

LIMIT_MAX = 500
_encode = msgspec.json.Encoder().encode


class Query(serializers.Serializer):  # type: ignore[type-arg]
    """What a page is asked for with."""

    stream = serializers.CharField(required=False, max_length=511)
    type = serializers.CharField(required=False, max_length=255)
    partition = serializers.IntegerField(required=False, min_value=0, max_value=255)
    after = serializers.CharField(
        required=False, allow_blank=True, max_length=64, help_text="``next`` of the page before"
    )
    limit = serializers.IntegerField(required=False, min_value=1, max_value=LIMIT_MAX, default=100)


class EventsView(APIView):
    """The log's address: POST appends (async, by itself), GET reads."""

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (HasScope,)
    scopes: ClassVar[dict[str, str]] = {"GET": "events:read"}

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:  # type: ignore[override] # a coroutine function
        """Return a view that keeps POST on the event loop and gives the rest to DRF."""
        rest = super().as_view(**initkwargs)

        def rendered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            response: HttpResponseBase = rest(request, *args, **kwargs)
            if isinstance(
                response, SimpleTemplateResponse
            ):  # nobody else does: API calls skip the middleware
                response.render()
            return response

        async def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST":
                return await ingest(request)
            return await sync_to_async(rendered)(request, *args, **kwargs)

        view.cls = cls  # type: ignore[attr-defined] # drf-spectacular looks here
        view.initkwargs = initkwargs  # type: ignore[attr-defined]
        view.csrf_exempt = True  # type: ignore[attr-defined]
        return markcoroutinefunction(view)

    @extend_schema(
        operation_id="read_events",
        parameters=[Query, *LEFT, WHEN_TO_COME_BACK],
        responses={200: EventPage, **READING_PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """Read the log. With ``stream`` in the stream's order, otherwise by partition and offset."""
        query = _query(request)
        stream = query.get("stream")
        rows = page(
            game_id=caller_of(request).game_id,
            stream=stream,
            type=query.get("type"),
            partition_id=_partition(caller_of(request).game_id, query.get("partition")),
            after=_decoded(query.get("after")),
            limit=query["limit"],
        )
        numbers = {
            partition_id: n for n, partition_id in enumerate(partition_ids(caller_of(request).game_id))
        }
        body = {
            "items": [_item(row, numbers[row.partition_id]) for row in rows],
            "next": _next(rows, stream, query["limit"]),
        }
        return HttpResponse(_encode(body), content_type="application/json")

    @extend_schema(
        operation_id="append_events",
        parameters=[*BINARY, *LEFT, WHEN_TO_COME_BACK],
        request=INGESTION,
        responses={**APPENDED, **APPENDING_PROBLEMS},
    )
    def post(self, request: Request) -> HttpResponse:
        """Append one CloudEvent or a batch: structured, batch or binary mode.

        At most 1,000 events and 1 MiB a request, 64 KiB an event. The events' own ids make it
        idempotent: after a 503, or no answer at all, send the same ids again.
        """
        raise NotImplementedError  # served by ``ingest``; stands here for the OpenAPI document


def _query(request: Request) -> dict[str, Any]:
    problems = [
        (f"/{name}", what) for name, text in request.query_params.items() if (what := text_problem(str(text)))
    ]
    if problems:
        raise InvalidEvent(problems)
    form = Query(data=request.query_params.dict())  # a form's empty field would count as not asked for
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def _partition(game_id: int, number: int | None) -> int | None:
    if number is None:
        return None
    ids = partition_ids(game_id)
    if number >= len(ids):
        raise InvalidEvent([("/partition", f"there are partitions 0 to {len(ids) - 1}")])
    return ids[number]


def _item(row: Event, partition: int) -> dict[str, Any]:
    recorded = row.recorded.isoformat().replace("+00:00", "Z")
    place = {
        "stream": row.stream,
        "version": row.version,
        "partition": partition,
        "offset": row.offset,
    }
    return {"event": to_cloudevent(row), **place, "lane": row.get_lane_display(), "recorded": recorded}


def _next(rows: list[Event], stream: str | None, limit: int) -> str | None:
    if len(rows) < limit:
        return None
    last = rows[-1]
    return base64.urlsafe_b64encode(str(last.version if stream else last.id).encode()).decode().rstrip("=")


def _decoded(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        value = int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii"))
    except (binascii.Error, ValueError):
        value = -1
    if not 0 <= value < 2**63:
        raise InvalidEvent([("/after", "is no cursor; take it from a page's next")])
    return value
