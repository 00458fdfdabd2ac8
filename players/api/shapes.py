"""The API's shapes: what game servers say about players, and what they are answered."""

from typing import Any

import orjson
from rest_framework import serializers

from players import tokens
from players.attributes import ATTRIBUTES_MAX
from players.locales import normalise_locale
from players.profiles import NAME_MAX
from players.zones import normalise_zone

TEXT_MAX = 100  # of what is then checked to be a locale or a zone


class Text(serializers.CharField):
    """Text; a number is none, and ``null`` stands for an empty one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_blank=True, allow_null=True, trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        """Refuse what DRF would turn into text."""
        if not isinstance(data, str):
            raise serializers.ValidationError("must be text")
        return str(super().to_internal_value(data))


class ProfileIn(serializers.Serializer[Any]):
    """What is known of a player. Fields that are left out stay as they are; ``null`` empties one."""

    locale = Text(max_length=TEXT_MAX, help_text="BCP 47, such as pt-BR; en_US is stored as en-US")
    timezone = Text(max_length=TEXT_MAX, help_text="IANA name, such as Asia/Seoul")
    display_name = Text(max_length=NAME_MAX)
    attributes = serializers.DictField(
        required=False,
        help_text=f"Names given replace, null removes one; at most {ATTRIBUTES_MAX} bytes of JSON together",
    )

    def validate_locale(self, value: str | None) -> str:
        """Write it in its usual letters."""
        return _checked(normalise_locale, value)

    def validate_timezone(self, value: str | None) -> str:
        """Write it in its own letters."""
        return _checked(normalise_zone, value)

    def validate_display_name(self, value: str | None) -> str:
        """Take ``null`` for none."""
        return value or ""

    def validate_attributes(self, value: dict[str, Any]) -> dict[str, Any]:
        """Bound their size."""
        if (size := len(orjson.dumps(value))) > ATTRIBUTES_MAX:
            raise serializers.ValidationError(
                f"has {size} bytes of JSON; at most {ATTRIBUTES_MAX} are allowed"
            )
        return value


class PlaceOut(serializers.Serializer[Any]):
    """Where the event stands in the log."""

    status = serializers.ChoiceField(choices=["appended"])
    stream = serializers.CharField()
    version = serializers.IntegerField()
    partition = serializers.IntegerField()
    offset = serializers.IntegerField()


class ProfileOut(serializers.Serializer[Any]):
    """A player with the profile that their events have folded into."""

    player = serializers.CharField()
    locale = serializers.CharField(allow_blank=True)
    timezone = serializers.CharField(allow_blank=True)
    display_name = serializers.CharField(allow_blank=True)
    attributes = serializers.DictField()
    revision = serializers.IntegerField(help_text="Counts the events that made it; 0 before the first")
    present = serializers.BooleanField(help_text="Has a socket at this moment")
    created = serializers.DateTimeField()


class ErasureOut(serializers.Serializer[Any]):
    """The player is erased; what they were told follows within moments."""

    status = serializers.ChoiceField(choices=["accepted"])


class TokenIn(serializers.Serializer[Any]):
    """How long the token is to live."""

    ttl_s = serializers.IntegerField(
        required=False, default=tokens.TTL_S, min_value=tokens.TTL_MIN_S, max_value=tokens.TTL_MAX_S
    )


class TokenOut(serializers.Serializer[Any]):
    """A player's token."""

    token = serializers.CharField()
    expires_at = serializers.DateTimeField()


def _checked(normalise: Any, value: str | None) -> str:
    try:
        return str(normalise(value)) if value else ""
    except ValueError as error:
        raise serializers.ValidationError(str(error)) from error
