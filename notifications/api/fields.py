"""Fields of requests: strict where DRF guesses. A number is no text, and a time has a zone."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from events.envelope.attributes import PLAYER_MAX, moment_of, player_problem
from notifications.engine.content import CATEGORY_MAX, is_category
from notifications.engine.texts import TITLE_MAX, one_line


class Text(serializers.CharField):
    """Text, taken as it comes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        """Refuse what DRF would turn into text."""
        if not isinstance(data, str):
            raise serializers.ValidationError("must be text")
        return str(super().to_internal_value(data))


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": TITLE_MAX, "pattern": r"\S"})
class Title(Text):
    """Text of which something is left when it is shown on one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=TITLE_MAX, **options)

    def to_internal_value(self, data: Any) -> str:
        """Refuse what would be shown as nothing."""
        text = super().to_internal_value(data)
        if not one_line(text):
            raise serializers.ValidationError("is empty")
        return text


@extend_schema_field(
    {"type": "string", "minLength": 1, "maxLength": PLAYER_MAX, "pattern": "^[^\\u0000-\\u001f\\u007f]+$"}
)
class PlayerKey(Text):
    """A game's own id of a player."""

    def to_internal_value(self, data: Any) -> str:
        """Refuse what no player can be called."""
        if problem := player_problem(data):
            raise serializers.ValidationError(problem)
        return str(data)


@extend_schema_field({"type": "string", "pattern": f"^[A-Za-z0-9_-]{{1,{CATEGORY_MAX}}}$"})
class Category(Text):
    """A category of notifications."""

    def to_internal_value(self, data: Any) -> str:
        """Refuse other letters than rules may use."""
        text = super().to_internal_value(data)
        if not is_category(text):
            raise serializers.ValidationError(f"takes 1 to {CATEGORY_MAX} of A-Z, a-z, 0-9, - and _")
        return text


@extend_schema_field(serializers.DateTimeField)
class Moment(Text):
    """A time with its zone; without one nobody could tell when that is."""

    def to_internal_value(self, data: Any) -> datetime:  # type: ignore[override] # a text comes, a time goes on
        """Return it in UTC."""
        moment = moment_of(super().to_internal_value(data))
        if moment is None:
            raise serializers.ValidationError(
                "must be a time with its zone as in 2026-11-24T12:00:00Z (RFC 3339)"
            )
        return moment
