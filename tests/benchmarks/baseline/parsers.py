"""JSON, whatever its content type calls it."""

from rest_framework.parsers import JSONParser


class CloudEvents(JSONParser):
    media_type = "application/*"
