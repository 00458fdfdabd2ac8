"""Liquid templates: a sandbox that reads no files, is bounded, and notes what was missing. Pure.

The output is text, never HTML: nothing is escaped, and clients show it as text.
"""

import re
from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from liquid import BoundTemplate, Environment, RenderContext
from liquid.exceptions import LiquidError, ResourceLimitError
from liquid.undefined import UNDEFINED, Undefined

from notifications.engine import filters
from notifications.engine.plain import Parts, filled, parts_of
from notifications.engine.views import EVENT_NAMES, PLAYER_NAMES

TITLE_SOURCE_MAX = 500  # characters
BODY_SOURCE_MAX = 8_000

_UNUSED_TAGS = ("include", "render", "tablerow")  # the first two read files, the last writes HTML
_ROOTS: Mapping[str, tuple[str, ...] | None] = {"event": EVENT_NAMES, "player": PLAYER_NAMES, "data": None}


class TemplateInvalid(ValueError):
    """A template cannot be parsed, or uses names or filters that there are not."""


class RenderFailed(Exception):
    """A template could not be rendered; the message never repeats a value of the event."""


class Missing(Undefined):
    """A name that was not there. Renders as nothing and is noted when it is used."""

    __slots__ = ("missed", "path")

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.path = name
        self.missed: dict[str, None] | None = None

    def _note(self) -> None:
        if self.missed is not None:
            self.missed.setdefault(self.path)

    def __str__(self) -> str:
        self._note()
        return ""

    def __iter__(self) -> Iterator[Any]:
        self._note()
        return iter(())

    def __int__(self) -> int:
        self._note()
        return 0

    def items(self) -> ItemsView[Any, object]:
        """Note that a loop wanted its entries; it has none."""
        self._note()
        return super().items()


class _Context(RenderContext):
    """Remembers what was missing, by path."""

    __slots__ = ("missed", "settings")

    missed: dict[str, None]
    settings: Mapping[str, Any]

    def get(self, path: list[object], *, token: Any, default: object = UNDEFINED) -> object:
        found = super().get(path, token=token, default=default)
        if isinstance(found, Missing):
            found.path = ".".join(str(step) for step in path)
            found.missed = self.missed
        return found


class _Template(BoundTemplate):
    context_class = _Context


class _Sandbox(Environment):
    template_class = _Template
    block_nesting_limit: ClassVar[int] = 10
    context_depth_limit: ClassVar[int] = 20
    loop_iteration_limit: ClassVar[int | None] = 500
    local_namespace_limit: ClassVar[int | None] = 256 * 1024
    output_stream_limit: ClassVar[int | None] = 256 * 1024


@lru_cache(maxsize=1)
def _sandbox() -> _Sandbox:
    sandbox = _Sandbox(undefined=Missing, strict_filters=True, autoescape=False)
    for name in _UNUSED_TAGS:
        del sandbox.tags[name]
    filters.install(sandbox)
    return sandbox


@dataclass(frozen=True, kw_only=True, eq=False)
class Template:
    """A parsed template; safe to render from several threads."""

    source: str
    plain: bool  # has no markup: renders as it stands
    parsed: BoundTemplate
    parts: Parts | None  # where it only inserts names

    def render(self, words: Mapping[str, Any], settings: Mapping[str, Any], missed: dict[str, None]) -> str:
        """Render the template.

        Args:
            words: the variables event, data and player.
            settings: locale and timezone, for the filters that format.
            missed: gets the path of every name that was used and not there.

        Raises:
            RenderFailed: a filter or comparison met a value that it cannot use, or a limit was reached.
        """
        if self.plain:
            return self.source
        if self.parts is not None and (text := filled(self.parts, words)) is not None:
            return text
        try:
            return self._render(words, settings, missed)
        except (
            LiquidError,
            filters.FilterMisused,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            raise RenderFailed(_say(error)) from None
        except (AttributeError, RecursionError, AssertionError):
            # Liquid's own slips on values that it did not expect
            raise RenderFailed("met a value that it cannot show") from None

    def _render(self, words: Mapping[str, Any], settings: Mapping[str, Any], missed: dict[str, None]) -> str:
        context = _Context(self.parsed, globals=words)
        context.settings = settings
        found: dict[str, None] = {}
        context.missed = found
        buffer = self.parsed._get_buffer()
        self.parsed.render_with_context(context, buffer)
        missed.update((self._own(path), None) for path in found)
        return buffer.getvalue()

    def _own(self, path: str) -> str:
        """Return a path with the steps that the template does not spell itself left out: they are data."""
        return ".".join(step if step in self.source else "[…]" for step in path.split("."))


def compile_template(source: str, limit: int) -> Template:
    """Parse a template of at most ``limit`` characters.

    Raises:
        TemplateInvalid: says where and why.
    """
    if len(source) > limit:
        raise TemplateInvalid(f"has {len(source)} characters, at most {limit}")
    try:
        parsed = _sandbox().from_string(source)
        problems = [*_unknown_filters(parsed), *_unknown_variables(parsed)]
    except (LiquidError, RecursionError) as error:
        raise TemplateInvalid(_where(error)) from None
    if problems:
        raise TemplateInvalid("; ".join(problems))
    plain = not re.search(r"\{[{%]", source)
    return Template(source=source, plain=plain, parsed=parsed, parts=parts_of(parsed))


def _unknown_filters(parsed: BoundTemplate) -> list[str]:
    used = parsed.analyze(include_partials=False).filters
    return [f"there is no filter {name!r}" for name in used if name not in filters.NAMES]


def _unknown_variables(parsed: BoundTemplate) -> list[str]:
    found: dict[str, None] = {}
    for uses in parsed.analyze(include_partials=False).globals.values():
        for use in uses:
            root, second = str(use.segments[0]), use.segments[1] if len(use.segments) > 1 else None
            if root not in _ROOTS:
                found.setdefault(f"{root} is unknown; there are event, data and player")
            elif (known := _ROOTS[root]) and isinstance(second, str) and second not in known:
                found.setdefault(f"{root}.{second} is unknown; there are {', '.join(known)}")
    return list(found)


def _where(error: Exception) -> str:
    if not isinstance(error, LiquidError):
        return "is nested too deep"
    place = error.context()
    return f"line {place[0]}, column {place[1] + 1}: {error.message}" if place else str(error.message)


def _say(error: Exception) -> str:
    if isinstance(error, filters.FilterMisused):
        return str(error)
    place = error.context() if isinstance(error, LiquidError) else None
    at = f" at line {place[0]}, column {place[1] + 1}" if place else ""
    if isinstance(error, ResourceLimitError):
        return f"loops, nests or writes too much{at}"
    return f"met a value of a type that it cannot use{at}"
