"""What a player is shown: a rule's templates rendered, or what a direct post brought. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifications.engine.outcomes import Content, NotificationClass
from notifications.engine.paths import Path, PathMissing
from notifications.engine.templates import RenderFailed, Template
from notifications.engine.texts import BODY_MAX, TITLE_MAX, clean, clip, one_line, type_name
from notifications.engine.views import EventView, PlayerView
from players.locales import fallbacks, lookup

DATA_MAX = 8_192  # bytes of a notification's data as JSON
DATA_DEPTH_MAX = 8
CATEGORY_MAX = 40  # characters
CHANNELS_MAX = 8
CHANNEL_MAX = 20  # characters


@dataclass(frozen=True, kw_only=True, eq=False)
class Texts:
    """A rule's words in one locale."""

    title: Template
    body: Template


@dataclass(frozen=True, eq=False)
class CopyLeaf:
    """A value of the data template that keeps its type: ``"{{ data.level }}"`` gives 7, not "7"."""

    path: Path


Leaf = None | bool | int | float | str | Template | CopyLeaf
Shaped = Leaf | list["Shaped"] | dict[str, "Shaped"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Templates:
    """Content from a rule's own templates."""

    class_: NotificationClass
    category: str
    default_locale: str
    texts: Mapping[str, Texts]  # by normalised locale
    data: dict[str, Shaped]
    channels: tuple[str, ...] = ()

    def class_for(self, event: EventView) -> NotificationClass:
        """Return the class."""
        return self.class_

    def render(self, event: EventView, player: PlayerView, expires: datetime | None) -> Content:
        """Render for one player, in the nearest locale.

        Raises:
            RenderFailed: a template met a value that it cannot use, or a limit was reached.
        """
        locale = lookup(player.locale, self.texts, self.default_locale)
        pen = _Pen(event, player, locale)
        title = pen.write("title", self.texts[locale].title, TITLE_MAX, lines=1)
        body = pen.write("body", self.texts[locale].body, BODY_MAX)
        return Content(
            title=title,
            body=body,
            category=self.category,
            class_=self.class_,
            data=pen.fill(self.data) if self.data else {},
            expires=expires,
            locale=locale,
            channels=self.channels,
            notes=tuple(pen.notes),
        )


@dataclass(frozen=True, kw_only=True)
class Posted:
    """Content that the event itself brings: the built-in rule of direct posts.

    Reads ``data.class``, ``data.category``, ``data.title``, ``data.body``, ``data.data``
    and ``data.channels``; its texts are no templates.
    """

    def class_for(self, event: EventView) -> NotificationClass:
        """Return the class that the event asks for.

        Raises:
            RenderFailed: it asks for none that can be posted.
        """
        asked = _posted(event).get("class", NotificationClass.INBOX)
        if asked not in (NotificationClass.INBOX, NotificationClass.LIVE):  # a tuple: it may be unhashable
            raise RenderFailed("data.class is neither 'inbox' nor 'live'")
        return NotificationClass(asked)

    def render(self, event: EventView, player: PlayerView, expires: datetime | None) -> Content:
        """Take over what the event brings.

        Raises:
            RenderFailed: a field is missing, of the wrong type or too large.
        """
        given = _posted(event)
        notes: list[str] = []
        title = _shortened("title", one_line(_text(given, "title")), TITLE_MAX, notes)
        if not title:
            raise RenderFailed("data.title is empty")
        extra = given.get("data") or {}
        if not isinstance(extra, dict):
            raise RenderFailed(f"data.data is {type_name(extra)}, not object")
        return Content(
            title=title,
            body=_shortened("body", clean(_text(given, "body", "")), BODY_MAX, notes),
            category=_category(given),
            class_=self.class_for(event),
            data=bounded(extra),
            expires=expires,
            locale="",
            channels=_channels(given),
            notes=tuple(notes),
        )


class _Pen:
    """Writes one player's texts and keeps the notes."""

    def __init__(self, event: EventView, player: PlayerView, locale: str) -> None:
        self.event = event
        self.words = {"event": event.words, "data": event.data, "player": player.words}
        self.settings = {"locale": _formatting_locale(player.locale, locale), "timezone": player.timezone}
        self.notes: list[str] = []

    def write(self, field: str, template: Template, limit: int, lines: int = 0) -> str:
        text = self._rendered(field, template)
        return _shortened(field, one_line(text) if lines == 1 else clean(text), limit, self.notes)

    def fill(self, shape: dict[str, Shaped]) -> dict[str, Any]:
        return bounded({name: self._filled(f"data.{name}", value) for name, value in shape.items()})

    def _filled(self, field: str, shape: Shaped) -> Any:
        if isinstance(shape, dict):
            return {name: self._filled(f"{field}.{name}", value) for name, value in shape.items()}
        if isinstance(shape, list):
            return [self._filled(field, value) for value in shape]
        if isinstance(shape, Template):
            return clean(self._rendered(field, shape))
        return self._copied(field, shape) if isinstance(shape, CopyLeaf) else shape

    def _copied(self, field: str, leaf: CopyLeaf) -> Any:
        try:
            return leaf.path.find(self.event)
        except PathMissing as missing:
            self.notes.append(f"{field}: {missing.place} is missing")
            return None

    def _rendered(self, field: str, template: Template) -> str:
        missed: dict[str, None] = {}
        try:
            text = template.render(self.words, self.settings, missed)
        except RenderFailed as failed:
            raise RenderFailed(f"{field}: {failed}") from None
        self.notes += [f"{field}: {path} is missing" for path in missed]
        return text


def _formatting_locale(players: str, texts: str) -> str:
    """Return the player's own locale for numbers and dates if the text is in their language."""
    language = texts.partition("-")[0]
    return players if language in fallbacks(players) else texts


def _shortened(field: str, text: str, limit: int, notes: list[str]) -> str:
    if len(text) > limit:
        notes.append(f"{field}: cut from {len(text)} to {limit} characters")
    return clip(text, limit)


def _posted(event: EventView) -> dict[str, Any]:
    if not isinstance(event.data, dict):
        raise RenderFailed(f"data is {type_name(event.data)}, not object")
    return event.data


def _text(given: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = given.get(name, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise RenderFailed(f"data.{name} is {type_name(value)}, not string")
    return value


def _category(given: Mapping[str, Any]) -> str:
    category = _text(given, "category", "general")
    if not is_category(category):
        raise RenderFailed(f"data.category is not of 1 to {CATEGORY_MAX} letters, digits, - and _")
    return category


def is_category(text: str) -> bool:
    """Tell whether a text can be a category: 1 to 40 ASCII letters, digits, ``-`` and ``_``."""
    return (
        0 < len(text) <= CATEGORY_MAX and text.isascii() and text.replace("-", "").replace("_", "x").isalnum()
    )


def _channels(given: Mapping[str, Any]) -> tuple[str, ...]:
    channels = given.get("channels", [])
    if not are_channels(channels):
        raise RenderFailed(f"data.channels is not an array of at most {CHANNELS_MAX} channels' names")
    return tuple(channels)


def are_channels(value: Any) -> bool:
    """Tell whether a value can name channels: a list of different short names in lower case."""
    return (
        isinstance(value, list)
        and len(value) <= CHANNELS_MAX
        and all(isinstance(name, str) and _is_channel(name) for name in value)
        and len(set(value)) == len(value)
    )


def _is_channel(name: str) -> bool:
    plain = name.replace("-", "").replace("_", "x")
    return 0 < len(name) <= CHANNEL_MAX and name.isascii() and plain.isalnum() and name == name.lower()


def bounded(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data if it can be stored and sent.

    Raises:
        RenderFailed: it is too large, too deep, or holds what JSON or a database refuses.
    """
    try:
        written = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError):
        raise RenderFailed("the notification's data holds a value that JSON cannot") from None
    if len(written) > DATA_MAX:
        raise RenderFailed(f"the notification's data has {len(written)} bytes, at most {DATA_MAX}")
    if b"\\u0000" in written and any("\x00" in text for text in _strings(data)):
        raise RenderFailed("the notification's data holds a NUL character")
    return data


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
