"""Locale tags (BCP 47): checking, writing them in one way, and looking one up. Pure."""

import re
from collections.abc import Collection, Iterator

LOCALE_MAX = 35  # RFC 5646, 4.4.1: room enough for every registered shape

# RFC 5646, 2.1, without the grandfathered tags, which no device sends any more.
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})"
    r"(?:-(?P<script>[a-z]{4}))?"
    r"(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
    r"(?P<extensions>(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*)"
    r"(?P<private>-x(?:-[a-z0-9]{1,8})+)?"
)


class LocaleInvalid(ValueError):
    """A text is no locale tag. Send one such as ``pt-BR``, ``zh-Hant-TW`` or ``en_US``."""

    def __init__(self, text: object) -> None:
        shown = text[:LOCALE_MAX] if isinstance(text, str) else type(text).__name__
        super().__init__(f"{shown!r} is no BCP 47 locale; send one such as 'pt-BR' or 'zh-Hant-TW'")


def normalise_locale(text: str) -> str:
    """Write a locale tag in its usual letters: ``en_US`` becomes ``en-US``.

    Raises:
        LocaleInvalid: it is not well-formed BCP 47 or longer than 35 characters.
    """
    if not isinstance(text, str) or len(text) > LOCALE_MAX:
        raise LocaleInvalid(text)
    found = _TAG.fullmatch(text.replace("_", "-").lower())
    if found is None:
        raise LocaleInvalid(text)
    script, region = found["script"], found["region"]
    head = [found["language"], script and script.title(), region and region.upper()]
    tail = found["variants"] + found["extensions"] + (found["private"] or "")
    return "-".join(part for part in head if part) + tail


def fallbacks(locale: str) -> Iterator[str]:
    """Yield the locale, then ever wider ones: ``zh-Hant-TW``, ``zh-Hant``, ``zh``.

    RFC 4647, 3.4: a single letter that a cut leaves at the end goes with it. Any text is
    accepted; an empty one yields nothing.
    """
    parts = locale.split("-") if locale else []
    while parts:
        yield "-".join(parts)
        parts.pop()
        if parts and len(parts[-1]) == 1:
            parts.pop()


def lookup(locale: str, available: Collection[str], default: str) -> str:
    """Return the nearest of ``available`` for a locale, or ``default``."""
    return next((tag for tag in fallbacks(locale) if tag in available), default)
