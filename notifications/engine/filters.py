"""The filters that templates may use: the useful ones of Liquid within bounds, and our own. Pure.

HTML filters are not there: titles and bodies are text. ``date`` is our own, because
Liquid's reads the machine's clock and zone; ours uses the player's zone.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache, wraps
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal
from liquid import Environment
from liquid.undefined import Undefined

from players.zones import ZoneInvalid, zone

KEPT: Final = (
    "abs", "at_least", "at_most", "ceil", "divided_by", "floor", "minus", "modulo", "plus", "round",
    "times",
    "append", "capitalize", "downcase", "lstrip", "prepend", "remove", "remove_first", "remove_last",
    "replace", "replace_first", "replace_last", "rstrip", "slice", "split", "squish", "strip",
    "strip_newlines", "truncate", "truncatewords", "upcase", "url_encode",
    "compact", "concat", "find", "first", "has", "join", "last", "map", "reject", "reverse", "size",
    "sort", "sort_natural", "sum", "uniq", "where", "default",
)  # fmt: skip
TEXT_MAX = 70_000  # characters that a filter takes or gives; an event has 64 KiB
LIST_MAX = 1_000  # entries that a filter takes or gives
BITS_MAX = 128  # of a whole number
FORMAT_MAX = 64  # characters of a date format
PLACES_MAX = 12  # decimal places, either way

_ANY_LENGTH = frozenset({"size", "first", "last", "default"})  # cheap on arrays of any length
_UTC = ZoneInfo("UTC")
_STYLES = ("short", "medium", "long", "full")


class FilterMisused(ValueError):
    """A filter was given what it cannot use; the message never repeats the value."""


def install(environment: Environment) -> None:
    """Leave an environment with exactly our filters."""
    kept = {name: _bounded(name, environment.filters[name]) for name in KEPT}
    environment.filters.clear()
    environment.filters.update(kept)
    for name, own in _OWN.items():
        environment.filters[name] = _bounded(name, own)


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)  # keeps the marks by which Liquid hands over its context
    def guarded(value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, Undefined) and name != "default":
            value = str(value)  # notes that it is missing
        if name not in _ANY_LENGTH:
            for given in (value, *args):
                _check_size(name, given)
        if name in _CHECKS:
            _CHECKS[name](value, args)
        result = function(value, *args, **kwargs)
        if result is not value:
            _check_size(name, result)
        return result

    return guarded


def _check_size(name: str, value: object) -> None:
    if isinstance(value, str):
        if len(value) > TEXT_MAX:
            raise FilterMisused(f"{name}: a text of {len(value)} characters, at most {TEXT_MAX}")
    elif isinstance(value, int):
        if value.bit_length() > BITS_MAX:
            raise FilterMisused(f"{name}: a number of {value.bit_length()} bits, at most {BITS_MAX}")
    elif isinstance(value, range):
        if max(abs(value.start), abs(value.stop)) > LIST_MAX:
            raise FilterMisused(f"{name}: a range beyond {LIST_MAX}")
    elif isinstance(value, (list, tuple, dict)) and len(value) > LIST_MAX:
        raise FilterMisused(f"{name}: {len(value)} entries, at most {LIST_MAX}")


def _check_product(name: str, length: int) -> None:
    if length > TEXT_MAX:
        raise FilterMisused(f"{name}: would give up to {length} characters, at most {TEXT_MAX}")


def _replace_grows(value: object, args: tuple[Any, ...]) -> None:
    text, old = str(value), str(args[0]) if args else ""
    new = str(args[1]) if len(args) > 1 else ""
    _check_product("replace", len(text) + text.count(old) * len(new))


def _join_grows(value: object, args: tuple[Any, ...]) -> None:
    entries = value if isinstance(value, (list, tuple)) else ()
    glue = len(str(args[0])) if args else 1
    _check_product("join", sum(len(str(entry)) + glue for entry in entries))


def _round_is_sane(_value: object, args: tuple[Any, ...]) -> None:
    # round(5, -10**10) builds a number of 10**10 digits
    if args and (not isinstance(args[0], int) or abs(args[0]) > PLACES_MAX):
        raise FilterMisused(f"round: takes whole decimal places up to {PLACES_MAX}")


_CHECKS: Final = {"replace": _replace_grows, "join": _join_grows, "round": _round_is_sane}


def _with_context(function: Callable[..., Any]) -> Callable[..., Any]:
    function.with_context = True  # type: ignore[attr-defined]  # Liquid's own mark
    return function


def moment(value: object) -> datetime:
    """Read a time: RFC 3339 text, or seconds since 1970.

    Raises:
        FilterMisused: it is neither.
    """
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
            return time if time.tzinfo else time.replace(tzinfo=UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise FilterMisused("needs a time such as 2026-01-31T12:00:00Z, or seconds since 1970")


def _local(value: object, context: Any, name: object) -> datetime:
    where = _named_zone(name) if name else _players_zone(str(context.settings["timezone"]))
    try:
        return moment(value).astimezone(where)
    except OverflowError:
        raise FilterMisused("the time is outside of the years 1 to 9999") from None


def _named_zone(name: object) -> ZoneInfo:
    try:
        return zone(str(name))
    except ZoneInvalid:
        raise FilterMisused("the second argument is no IANA time zone, such as 'Asia/Seoul'") from None


def _players_zone(name: str) -> ZoneInfo:
    try:
        return zone(name)
    except ZoneInvalid:
        return _UTC


@lru_cache(maxsize=256)
def _babel(tag: str) -> Locale:
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        head = tag.rpartition("-")[0]
        return _babel(head) if head else Locale("en")


@_with_context
def date(value: Any, form: Any = "%Y-%m-%d %H:%M", zone_name: Any = "", *, context: Any) -> str:
    """``{{ data.starts_at | date: "%H:%M" }}``, in the player's zone or in the one named second."""
    if value == "":
        return ""
    if not isinstance(form, str) or len(form) > FORMAT_MAX:
        raise FilterMisused(f"date: takes a format such as '%H:%M' of at most {FORMAT_MAX} characters")
    return _local(value, context, zone_name).strftime(form)


def _styled(show: Callable[..., str]) -> Callable[..., str]:
    @_with_context
    def styled(value: Any, style: Any = "short", zone_name: Any = "", *, context: Any) -> str:
        if value == "":
            return ""
        if style not in _STYLES:
            raise FilterMisused(f"takes one of {', '.join(_STYLES)}")
        return show(_local(value, context, zone_name), style, _babel(context.settings["locale"]))

    return styled


local_datetime = _styled(
    lambda time, style, locale: format_datetime(time, style, tzinfo=time.tzinfo, locale=locale)
)
local_date = _styled(lambda time, style, locale: format_date(time, style, locale=locale))
local_time = _styled(lambda time, style, locale: format_time(time, style, tzinfo=time.tzinfo, locale=locale))


@_with_context
def number(value: Any, *, context: Any) -> str:
    """``{{ data.gold | number }}``: 12,345 in English, 12.345 in German."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return str(format_decimal(value, locale=_babel(context.settings["locale"])))


_OWN: Final[Mapping[str, Callable[..., Any]]] = {
    "date": date,
    "local_datetime": local_datetime,
    "local_date": local_date,
    "local_time": local_time,
    "number": number,
}
NAMES: Final = (*KEPT, *_OWN)
