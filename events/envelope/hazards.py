"""What JSON allows and the log does not: NUL, half surrogates, numbers beyond 64 bit, deep nesting.

A cheap look at the text decides whether anything of the kind can be there at all; only
then is the value walked to find out where.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

MAX_DEPTH = 64
INT_MIN, INT_MAX = -(2**63), 2**64 - 1

_SUSPICIOUS = re.compile(r"\\u|\d{18}|\d[eE]|Infinity|NaN")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

_ESCAPES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_HALF = re.compile("[\ud800-\udfff]")
_NUL = r"\u0000"
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")

Problem = tuple[str, str]


class _Number:
    """Stands in the value where a number is that 64 bits cannot hold."""


def problems_in(text: str, pointer: str) -> list[Problem]:
    """Return (pointer, sentence) for everything in a JSON text that cannot be kept; none when all is well.

    Raises:
        ValueError: it is no JSON. Only where there is anything suspicious; nothing else is parsed.
    """
    if _depth(text) > MAX_DEPTH:
        return [(pointer, f"is nested deeper than {MAX_DEPTH} levels")]
    if not _SUSPICIOUS.search(text):
        return []
    value = json.loads(text, parse_int=_whole, parse_float=_real, parse_constant=lambda _: _Number())
    return list(_walk(value, pointer)) or list(_unread(text, pointer))


def text_problem(text: str) -> str | None:
    """Return what is wrong with a piece of text, or None."""
    if _NOT_TEXT.search(text):
        return "holds a NUL character or half of a surrogate pair"
    return None


def parseable(body: bytes) -> str:
    """Return JSON text in which halves of surrogate pairs, raw or escaped, are NUL: refused just as well.

    The fast parser stops at half a pair without saying which event of a batch has it.

    Raises:
        UnicodeDecodeError: it is not UTF-8, even if halves of pairs are let pass.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = _HALF.sub(lambda _: _NUL, body.decode(errors="surrogatepass"))
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return _ESCAPES.sub(lambda found: _NUL if found[1] else found[0], text)


def _depth(text: str) -> int:
    """Return how deep arrays and objects are nested; brackets inside strings do not count."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    deepest = depth = 0
    for letter in _STRING.sub("", text):
        if letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth -= 1
    return deepest


def _whole(digits: str) -> int | _Number:
    if len(digits) > 20:  # noqa: PLR2004 - 2^64 has 20 digits; int() of very long ones is slow
        return _Number()
    value = int(digits)
    return value if INT_MIN <= value <= INT_MAX else _Number()


def _real(digits: str) -> float | _Number:
    value = float(digits)
    return _Number() if value in {float("inf"), float("-inf")} else value


def _unread(text: str, pointer: str) -> Iterator[Problem]:
    """Say what the parser of every reader of the log says: what it cannot read would park a stream."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        yield pointer, f"cannot be read back: {error}"


def _walk(value: Any, pointer: str) -> Iterator[Problem]:
    if isinstance(value, _Number):
        yield pointer, "is a number that 64 bits cannot hold"
    elif isinstance(value, str):
        if problem := text_problem(value):
            yield pointer, problem
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for name, item in value.items():
            if problem := text_problem(name):
                yield pointer, f"has a name that {problem}"
            else:
                yield from _walk(item, f"{pointer}/{escaped(name)}")


def escaped(name: str) -> str:
    """Return a name as one part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
