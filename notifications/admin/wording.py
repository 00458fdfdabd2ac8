"""What has changed between two revisions of a rule, in words. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

NAMES = {
    "event_type": "event type",
    "condition": "condition",
    "class": "class",
    "category": "category",
    "ttl_s": "seconds to live",
    "default_locale": "default locale",
}
SHOWN_MAX = 120  # characters of a value

Definition = Mapping[str, Any]


def changes(before: Definition | None, after: Definition) -> list[str]:
    """Return a sentence for each difference; one that says so for a first revision."""
    if before is None:
        return [f"Made, with words in {_several(after.get('templates', {}))}."]
    parts = (_plain, _audience, _channels, _words, _rest)
    said = [sentence for part in parts for sentence in part(before, after)]
    return said or ["Nothing has changed."]


def _plain(before: Definition, after: Definition) -> Iterator[str]:
    for name, word in NAMES.items():
        old, new = before.get(name), after.get(name)
        if old != new:
            yield _changed(word.capitalize(), old, new)


def _changed(what: str, old: Any, new: Any) -> str:
    if old in (None, ""):
        return f"{what} added: {_shown(new)}."
    if new in (None, ""):
        return f"{what} removed: it was {_shown(old)}."
    return f"{what} changed from {_shown(old)} to {_shown(new)}."


def _audience(before: Definition, after: Definition) -> Iterator[str]:
    old, new = before.get("audience") or {}, after.get("audience") or {}
    if old == new:
        return
    if "players" in old and "players" in new:
        added, removed = set(new["players"]) - set(old["players"]), set(old["players"]) - set(new["players"])
        yield f"Audience: {len(added)} players added, {len(removed)} removed; now {len(new['players'])}."
    else:
        yield _changed("Audience", _told(old), _told(new))


def _told(audience: Mapping[str, Any]) -> str:
    if "players" in audience:
        return f"{len(audience['players'])} named players"
    return str(audience.get("path", ""))


def _channels(before: Definition, after: Definition) -> Iterator[str]:
    old, new = before.get("channels") or [], after.get("channels") or []
    if old != new:
        yield _changed("Other channels", ", ".join(old), ", ".join(new))


def _words(before: Definition, after: Definition) -> Iterator[str]:
    old, new = before.get("templates", {}), after.get("templates", {})
    if added := new.keys() - old.keys():
        yield f"Words added in {_several(added)}."
    if removed := old.keys() - new.keys():
        yield f"Words removed in {_several(removed)}."
    for locale in sorted(old.keys() & new.keys()):
        for part in ("title", "body"):
            was, now = old[locale].get(part, ""), new[locale].get(part, "")
            if was != now:
                yield _changed(f"{part.capitalize()} in {locale}", was, now)


def _rest(before: Definition, after: Definition) -> Iterator[str]:
    """Name what later versions of the engine have added and this page does not know."""
    known = {*NAMES, "audience", "channels", "templates"}
    for name in sorted((before.keys() | after.keys()) - known):
        if before.get(name) != after.get(name):
            yield f"{name.capitalize()} changed."


def _several(locales: Any) -> str:
    return ", ".join(sorted(locales)) or "no locale"


def _shown(value: Any) -> str:
    text = str(value)
    return f"“{text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + '…'}”"
