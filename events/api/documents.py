"""The API's shapes for the OpenAPI document."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema_field
from rest_framework import serializers

from events.lanes import Lane


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How game servers say who they are."""

    target_class = "events.api.auth.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return it in OpenAPI's words."""
        return {"type": "http", "scheme": "bearer", "description": "A game's API key; calls need its scopes"}


class ProblemError(serializers.Serializer):  # type: ignore[type-arg]
    """One broken rule."""

    pointer = serializers.CharField(help_text="JSON pointer (RFC 6901) into the request's body")
    detail = serializers.CharField()


class Problem(serializers.Serializer):  # type: ignore[type-arg]
    """RFC 9457, ``application/problem+json``."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = ProblemError(many=True, required=False)  # type: ignore[assignment] # a field, as DRF collects them


KEY = {"type": "string", "minLength": 1, "maxLength": 255}
EVENT = {
    "type": "object",
    "description": "CloudEvents 1.0. Other attributes (a-z, 0-9) are stored and given back.",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {**KEY, "description": "With source the event's identity, for ever"},
        "source": {**KEY, "description": "Must not begin with clarion:"},
        "type": {**KEY, "description": "Past tense and dotted, such as guild.invite.received"},
        "subject": {**KEY, "description": "The stream, where there is no partitionkey"},
        "partitionkey": {**KEY, "description": "The stream: what is kept in order"},
        "time": {"type": "string", "format": "date-time"},
        "expirytime": {"type": "string", "format": "date-time"},
        "expectedversion": {
            "description": "The stream's version before this event, 0 for a new one",
            "oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,18}$"}],
        },
        "traceparent": {"type": "string"},
        "tracestate": {"type": "string"},
        "correlationid": {"type": "string"},
        "causationid": {"type": "string"},
        "datacontenttype": KEY,
        "dataschema": {"type": "string", "minLength": 1, "maxLength": 2048},
        "data": {"description": "Any JSON. Its player_id is the event's player, as text"},
        "data_base64": {"type": "string", "description": "Not together with data"},
    },
}


@extend_schema_field(EVENT)
class CloudEventField(serializers.JSONField):
    """An event."""


class EventItem(serializers.Serializer):  # type: ignore[type-arg]
    """An event with its place."""

    event = CloudEventField(help_text="With its data as it came; without it where that was erased")
    stream = serializers.CharField()
    version = serializers.IntegerField()
    partition = serializers.IntegerField()
    offset = serializers.IntegerField()
    lane = serializers.ChoiceField(choices=Lane.labels)
    recorded = serializers.DateTimeField()


class EventPage(serializers.Serializer):  # type: ignore[type-arg]
    """One page of the log."""

    items = EventItem(many=True)
    next = serializers.CharField(allow_null=True)


def problems(*codes: int) -> dict[Any, Any]:
    """Return the responses of these status codes, all of them problems."""
    return {(code, "application/problem+json"): Problem for code in codes}


READING_PROBLEMS = problems(401, 403, 405, 422, 429, 503)
APPENDING_PROBLEMS = problems(400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503)
WHEN_TO_COME_BACK = OpenApiParameter(
    "Retry-After", int, OpenApiParameter.HEADER, response=[429, 503], description="Seconds"
)
LEFT = [
    OpenApiParameter(name, int, OpenApiParameter.HEADER, response=[200, 201, 207, 429], description=what)
    for name, what in (
        ("RateLimit-Limit", "Events a minute that this key may send"),
        ("RateLimit-Remaining", "How many are left in this minute"),
        ("RateLimit-Reset", "Seconds until the next minute begins"),
    )
]
"""Left out for keys without a limit."""

BATCH = {"type": "array", "maxItems": 1000, "items": EVENT}
INGESTION: dict[Any, Any] = {
    "application/cloudevents+json": EVENT,
    "application/cloudevents-batch+json": BATCH,
    "application/json": {"oneOf": [EVENT, BATCH]},
}
BINARY = [
    OpenApiParameter(
        f"ce-{name}", {**KEY}, OpenApiParameter.HEADER, description=f"Binary mode: the attribute {name}"
    )
    for name in ("specversion", "id", "source", "type")
]
"""Every other attribute may come as a header too; the body is the data, of any content type."""


def _answer(status: Sequence[str], **properties: Any) -> dict[str, Any]:
    """Return the schema of an object in which all of this is required."""
    every = {"status": {"enum": list(status)}, **properties}
    return {"type": "object", "required": list(every), "properties": every}


TEXT, NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}
_IDENTITY = {"id": TEXT, "source": TEXT, "stream": TEXT}
_PLACE = {**_IDENTITY, "version": NUMBER, "partition": NUMBER, "offset": NUMBER}
_ERRORS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["pointer", "detail"],
        "properties": {"pointer": TEXT, "detail": TEXT},
    },
}
RESULT = {
    "oneOf": [
        _answer(["appended", "duplicate"], **_PLACE),
        _answer(["conflict"], **_IDENTITY, expected=NUMBER, actual=NUMBER),
        _answer(["invalid"], errors=_ERRORS),
        _answer(
            ["refused"],
            id=TEXT,
            source=TEXT,
            lane={"enum": Lane.labels},
            retry_after={**NUMBER, "description": "Seconds; the item's lane is over its limit"},
        ),
    ]
}
COUNTS = ("appended", "duplicate", "conflict", "invalid", "refused")
OF_BATCH = {
    "type": "object",
    "required": [*COUNTS, "results"],
    "properties": {
        **dict.fromkeys(COUNTS, NUMBER),
        "results": {"type": "array", "items": RESULT, "description": "One per item, in order"},
    },
}
APPENDED: dict[Any, Any] = {
    201: OpenApiResponse(_answer(["appended"], **_PLACE), description="One event, appended; its place"),
    200: OpenApiResponse(
        {"oneOf": [_answer(["duplicate"], **_PLACE), OF_BATCH]},
        description="One event that was seen before, with its original place; or a batch without a bad item",
    ),
    207: OpenApiResponse(OF_BATCH, description="A batch with bad items; the good ones are stored"),
}
