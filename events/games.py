"""What the hot path needs of a game: its types with lanes and compiled schemas, remembered for a second."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import msgspec
import structlog

from events.envelope import Envelope
from events.envelope.hazards import escaped
from events.errors import InvalidEvent, UnknownGame
from events.lanes import Lane
from events.models import EventType, Game
from events.schemas import compile_schema

CACHE_S = 1.0
PLAYER_PREFIX = "player."
ERRORS_MAX = 20
"""So many broken rules of a schema are named; the rest would only be more of the same."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class TypeConfig:
    """One type of event."""

    lane: Lane
    validator: jsonschema_rs.Validator | None


@dataclass(frozen=True, kw_only=True)
class GameConfig:
    """One game, as it was within the last second."""

    id: int
    slug: str
    strict: bool
    types: Mapping[str, TypeConfig]

    def lane_of(self, envelope: Envelope, pointer: str) -> Lane:
        """Return the lane of an event that the game accepts.

        Raises:
            InvalidEvent: an unlisted type in a strict game, or data that the type's schema refuses.
        """
        config = self.types.get(envelope.type)
        if config is None:
            return self._unlisted(envelope, pointer)
        if config.validator is not None:
            _check(config.validator, envelope, pointer)
        return Lane.URGENT if envelope.type.startswith(PLAYER_PREFIX) else config.lane

    def _unlisted(self, envelope: Envelope, pointer: str) -> Lane:
        if envelope.type.startswith(PLAYER_PREFIX):
            return Lane.URGENT
        if self.strict:
            raise InvalidEvent(
                [(f"{pointer}/type", "is not a type of this game, which accepts only listed ones")]
            )
        return Lane.NORMAL


_cache: dict[int, tuple[float, GameConfig]] = {}
_lock = threading.Lock()


def cached(game_id: int) -> GameConfig | None:
    """Return a game's configuration without any query, if this process has read it within a second."""
    entry = _cache.get(game_id)
    return entry[1] if entry is not None and entry[0] >= time.monotonic() else None


def config_of(game_id: int) -> GameConfig:
    """Return a game's configuration; one query per second and game.

    Raises:
        UnknownGame: there is no such game.
    """
    if (known := cached(game_id)) is not None:
        return known
    game = Game.objects.filter(pk=game_id).first()
    if game is None:
        raise UnknownGame(game_id)
    rows = EventType.objects.filter(game=game).values_list("name", "lane", "schema")
    config = GameConfig(
        id=game.pk,
        slug=game.slug,
        strict=game.strict,
        types={
            name: TypeConfig(lane=Lane(lane), validator=_validator(game, name, schema))
            for name, lane, schema in rows
        },
    )
    with _lock:
        _cache[game_id] = (time.monotonic() + CACHE_S, config)
    return config


def forget(game_id: int | None = None) -> None:
    """Read a game (or all) again: its types have changed."""
    with _lock:
        if game_id is None:
            _cache.clear()
        else:
            _cache.pop(game_id, None)


def _validator(game: Game, name: str, schema: Any) -> jsonschema_rs.Validator | None:
    """Compile a type's schema. One that is none was not saved by the console: it must not stop the game's log."""
    if schema is None:
        return None
    try:
        return compile_schema(schema)
    except ValueError:
        log.error("schema.broken", game=game.slug, type=name)  # noqa: TRY400 - the text may hold the schema
        return None


def _check(validator: jsonschema_rs.Validator, envelope: Envelope, pointer: str) -> None:
    data = (
        msgspec.json.decode(envelope.data)
        if envelope.data_encoding == "json" and envelope.data
        else envelope.data
    )
    if validator.is_valid(data):
        return
    errors = []
    for error in validator.iter_errors(data):
        path = "".join(f"/{escaped(str(part))}" for part in error.instance_path)
        errors.append((f"{pointer}/data{path}", _sentence(error)))
        if len(errors) == ERRORS_MAX:
            break
    raise InvalidEvent(errors)


def _sentence(error: jsonschema_rs.ValidationError) -> str:
    """Name the rule that was broken, not the value: that may be a player's."""
    keyword = str(error.schema_path[-1]) if error.schema_path else "schema"
    return f"breaks the type's schema at {'/'.join(str(part) for part in error.schema_path) or keyword}"
