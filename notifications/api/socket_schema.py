"""``GET /api/schema/socket.json``: the socket's messages as a JSON Schema, beside the OpenAPI document."""

from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

SCHEMA = (Path(__file__).parent / "socket.schema.json").read_bytes()


@require_safe
def socket_schema(_request: HttpRequest) -> HttpResponse:
    """Return the schema; it is the same for everybody, and any page may read it."""
    headers = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}
    return HttpResponse(SCHEMA, content_type="application/schema+json", headers=headers)
