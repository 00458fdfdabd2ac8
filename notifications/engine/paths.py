"""Paths into an event: ``data.player_id``, ``data.members[*].id``, ``data["odd name"]``. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from notifications.engine.views import EventView

PATH_MAX = 200  # characters

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*)|\["(?P<quoted>[^"\\\x00-\x1f]+)"\]|(?P<each>\[\*\])""", re.ASCII
)
_ROOT = re.compile(r"data|event\.subject")

EACH: Final = None  # the step [*]


class PathInvalid(ValueError):
    """A text is no path; the message says what paths look like."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text[:PATH_MAX]!r} is no path; write one such as data.player_id, data.members, "
            f'data.members[*].id, data["odd name"] or event.subject'
        )


class PathMissing(LookupError):
    """The event has nothing at a path; ``place`` is the first part that is missing."""

    def __init__(self, place: str) -> None:
        self.place = place
        super().__init__(f"{place} is not in the event")


@dataclass(frozen=True)
class Path:
    """A parsed path."""

    text: str
    root: str  # 'data' or 'event.subject'
    steps: tuple[str | None, ...]  # names; None stands for every entry of an array

    def find(self, event: EventView) -> Any:
        """Return the value at the path; one list of all of them where it has ``[*]``.

        Raises:
            PathMissing: a name is absent, or what should hold it is no object or array.
        """
        start = event.subject if self.root == "event.subject" else event.data
        found = list(self._walk(start, 0))
        return found if EACH in self.steps else found[0]

    def _walk(self, value: Any, depth: int) -> Iterator[Any]:
        for place in range(depth, len(self.steps)):
            step = self.steps[place]
            if step is EACH:
                if not isinstance(value, list):
                    raise PathMissing(self._shown(place + 1))
                for entry in value:
                    yield from self._walk(entry, place + 1)
                return
            if not isinstance(value, dict) or step not in value:
                raise PathMissing(self._shown(place + 1))
            value = value[step]
        yield value

    def _shown(self, count: int) -> str:
        return show(self.root, self.steps[:count])


def show(root: str, steps: tuple[str | None, ...]) -> str:
    """Write a path as text."""
    written = root
    for step in steps:
        if step is EACH:
            written += "[*]"
        else:
            written += f".{step}" if re.fullmatch(r"[A-Za-z_][\w-]*", step, re.ASCII) else f'["{step}"]'
    return written


def parse_path(text: str) -> Path:
    """Parse a path.

    Raises:
        PathInvalid: it is not one.
    """
    root = _ROOT.match(text)
    if root is None or len(text) > PATH_MAX:
        raise PathInvalid(text)
    steps: list[str | None] = []
    place = root.end()
    while place < len(text):
        step = _STEP.match(text, place)
        if step is None:
            raise PathInvalid(text)
        steps.append(EACH if step["each"] else step["name"] or step["quoted"])
        place = step.end()
    if (root[0] == "data") != bool(steps):
        raise PathInvalid(text)
    return Path(text=text, root=root[0], steps=tuple(steps))
