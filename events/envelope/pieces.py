"""Cutting a JSON array apart without parsing what is in it. Pure.

The fast parser reads a batch as a whole, so one event with NaN in it, or nested a thousand
levels deep, would take the others with it. Only then is the batch cut by this, and each
event judged on its own.
"""

import re

_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)


def elements(text: str) -> list[str] | None:
    """Return the texts of an array's elements; None when the brackets do not make one array.

    Whether each element is JSON is for the caller to find out.
    """
    depth, begin = 0, 0
    found: list[str] = []
    for mark in _MARK.finditer(text):
        letter = mark[0]
        if letter in {"[", "{"}:
            if depth == 0 and (letter == "{" or text[begin : mark.start()].strip()):
                return None
            depth += 1
            begin = begin if depth > 1 else mark.end()
        elif letter in {"]", "}"}:
            depth -= 1
            if depth == 0:
                found.append(text[begin : mark.start()])
                return _whole(found) if letter == "]" and not text[mark.end() :].strip() else None
        elif letter == "," and depth == 1:
            found.append(text[begin : mark.start()])
            begin = mark.end()
    return None


def _whole(found: list[str]) -> list[str] | None:
    """Return the elements; an array with nothing in it has none, and a comma stands between two."""
    if len(found) == 1 and not found[0].strip():
        return []
    return found if all(each.strip() for each in found) else None
