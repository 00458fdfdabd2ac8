"""The API's shapes for the OpenAPI document."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers


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


class EventItem(serializers.Serializer):  # type: ignore[type-arg]
    """An event with its place."""

    event = serializers.JSONField(help_text="The CloudEvent, with its data as it came")
    stream = serializers.CharField()
    version = serializers.IntegerField()
    partition = serializers.IntegerField()
    offset = serializers.IntegerField()
    lane = serializers.CharField()
    recorded = serializers.DateTimeField()


class EventPage(serializers.Serializer):  # type: ignore[type-arg]
    """One page of the log."""

    items = EventItem(many=True)
    next = serializers.CharField(allow_null=True)


def problems(*codes: int) -> dict[Any, Any]:
    """Return the responses of these status codes, all of them problems."""
    return {(code, "application/problem+json"): Problem for code in codes}


PROBLEMS = problems(400, 401, 403, 405, 409, 413, 415, 422, 429, 503)
_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 255},
        "source": {"type": "string", "minLength": 1, "maxLength": 255},
        "type": {"type": "string", "minLength": 1, "maxLength": 255},
        "subject": {"type": "string", "maxLength": 255},
        "partitionkey": {"type": "string", "maxLength": 255},
        "time": {"type": "string", "format": "date-time"},
        "expirytime": {"type": "string", "format": "date-time"},
        "expectedversion": {"type": ["integer", "string"]},
        "traceparent": {"type": "string"},
        "data": {},
        "data_base64": {"type": "string"},
    },
}
INGESTION: dict[Any, Any] = {
    "application/cloudevents+json": _EVENT,
    "application/cloudevents-batch+json": {"type": "array", "maxItems": 1000, "items": _EVENT},
    "application/json": {"oneOf": [_EVENT, {"type": "array", "maxItems": 1000, "items": _EVENT}]},
}
BATCH_ANSWER = OpenApiResponse(
    response={
        "type": "object",
        "properties": {
            **{
                word: {"type": "integer"}
                for word in ("appended", "duplicate", "conflict", "invalid", "refused")
            },
            "results": {"type": "array", "items": {"type": "object"}},
        },
    },
    description="A batch: counts, and one result per item in order. Of one event: the place of the repeat.",
)
