"""The shape of a CEL expression: what it loops over, what it reads, and what that may cost. Pure.

The binding gives no syntax tree and cannot interrupt an evaluation, so whatever could run
away is found in the tokens beforehand. Measured on cel 0.10: a step of a loop takes about
0.2 us, a name read inside a loop copies its value (20 ns an entry), ``filter`` copies what
it has so far at each step, ``map`` can double a text until the process is killed for its
memory, and ``matches`` compiles its pattern anew at each call.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

ROOTS = frozenset({"data", "event"})
LOOPS = frozenset({"all", "exists", "exists_one", "existsOne", "filter"})
FORBIDDEN = {
    "map": "map() is not available in a condition; use exists(), all() or filter()",
}
STEPS_MAX = 200_000  # about 40 ms
PATTERN_MAX = 100  # characters of a regular expression
REPEATS_MAX = 100  # product of its counted repetitions; \w{100} takes about 20 ms

_READ_SHARE = 10  # entries copied in the time of one step

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*)
    | (?P<text>
        [bB]?[rR](?:'''.*?'''|\"\"\".*?\"\"\"|'[^'\r\n]*'|"[^"\r\n]*")
      | [bB]?(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\")
      | [bB]?(?:'(?:\\.|[^'\\\r\n])*'|"(?:\\.|[^"\\\r\n])*"))
    | (?P<name>[A-Za-z_]\w*)
    | (?P<number>\d[\w.]*)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_OPEN, _CLOSE = "([{", ")]}"
_COUNTED = re.compile(r"\{(\d+)(?:,(\d*))?\}")


class Token(NamedTuple):
    """A word of an expression."""

    kind: str  # text, name, number, mark
    text: str


class Loop(NamedTuple):
    """One use of a loop macro."""

    macro: str
    variable: str
    depth: int  # 1 for a loop that is in no other
    begin: int  # token range of its body
    end: int


def tokens(source: str) -> list[Token]:
    """Split an expression that CEL has compiled."""
    found = (match for match in _TOKEN.finditer(source) if match.lastgroup != "space")
    return [Token(match.lastgroup or "mark", match[0]) for match in found]


@dataclass(frozen=True)
class Shape:
    """What an expression does, as far as its tokens tell."""

    words: tuple[Token, ...]
    loops: tuple[Loop, ...]
    reads: tuple[int, ...]  # for each name read in a loop: how many loops repeat it
    swell: int  # by how much + can lengthen an array
    literal: int  # entries of the longest literal array, at most

    @property
    def names(self) -> frozenset[str]:
        """Every name and text in the expression: what may be said about it without telling data."""
        return frozenset(word.text.strip("'\"") for word in self.words if word.kind in {"name", "text"})

    @property
    def variables(self) -> frozenset[str]:
        """The names that loops bind."""
        return frozenset(loop.variable for loop in self.loops)

    def steps(self, largest: int, total: int) -> int:
        """Estimate the steps of an evaluation, from above.

        Args:
            largest: entries of the largest array or object in the data.
            total: size of the data in array entries.
        """
        length = max(largest * self.swell, self.literal)
        size = 1 + total * self.swell // _READ_SHARE
        steps: int = sum(length**depth * size for depth in self.reads)
        for loop in self.loops:
            steps += length**loop.depth
            if loop.macro == "filter":
                steps += length ** (loop.depth + 1) // _READ_SHARE
        return steps


def shape_of(source: str) -> Shape:
    """Find the shape of an expression that CEL has compiled."""
    words = tokens(source)
    loops = tuple(_loops(words))
    return Shape(
        words=tuple(words),
        loops=loops,
        reads=tuple(_reads(words, loops)),
        swell=1 + sum(_may_join_arrays(words, at) for at in range(len(words))),
        literal=1 + sum(word.text == "," for word in words),
    )


def problems_of(shape: Shape) -> list[str]:
    """Say what about an expression could run away, whatever the data."""
    found = [FORBIDDEN[name] for name in _calls(shape.words) if name in FORBIDDEN]
    found += [
        f"loops are nested {loop.depth} deep, at most 2; make the inner one a field of the event"
        for loop in shape.loops
        if loop.depth > 2  # noqa: PLR2004 - named in the sentence
    ]
    return found + _pattern_problems(shape)


def patterns(shape: Shape) -> list[str]:
    """List the regular expressions of an expression without problems, as they are written."""
    return [shape.words[at + 2].text for at in _matches(shape)]


def data_paths(shape: Shape) -> list[str]:
    """List the paths under ``data`` that the expression names outright, such as ``data.guild.id``.

    Paths that it asks ``has()`` about are left out: it expects them to be absent.
    """
    found: dict[str, None] = {}
    guarded = {path for path, asked in _chains(shape) if asked}
    for path, _asked in _chains(shape):
        if not any(path == other or path.startswith(f"{other}.") for other in guarded):
            found.setdefault(path)
    return list(found)


def _may_join_arrays(words: Sequence[Token], at: int) -> bool:
    beside = (*words[max(0, at - 1) : at], *words[at + 1 : at + 2])
    return words[at].text == "+" and all(word.kind not in {"number", "text"} for word in beside)


def _loops(words: Sequence[Token]) -> Iterator[Loop]:
    ends: list[int] = []
    for at in range(len(words) - 4):
        while ends and ends[-1] <= at:
            ends.pop()
        dot, macro, opened, variable, comma = words[at : at + 5]
        marks = dot.text + opened.text + comma.text
        if marks == ".(," and macro.text in LOOPS and variable.kind == "name":
            ends.append(_closing(words, at + 2))
            yield Loop(macro.text, variable.text, len(ends), at + 5, ends[-1])


def _closing(words: Sequence[Token], opened: int) -> int:
    level = 0
    for at in range(opened, len(words)):
        if words[at].kind == "mark":
            level += (words[at].text in _OPEN) - (words[at].text in _CLOSE)
            if level == 0:
                return at
    return len(words)


def _reads(words: Sequence[Token], loops: Sequence[Loop]) -> Iterator[int]:
    bound = {loop.variable for loop in loops}
    for at, word in enumerate(words):
        if word.kind != "name" or (at and words[at - 1].text == "."):
            continue
        depth = sum(loop.begin <= at < loop.end for loop in loops)
        if depth and word.text in ROOTS:
            yield depth
        elif depth and word.text in bound:
            yield depth - 1  # all values of a loop's variable together are one copy of its array


def _calls(words: Sequence[Token]) -> Iterator[str]:
    for word, after in pairwise(words):
        if word.kind == "name" and after.text == "(":
            yield word.text


def _pattern_problems(shape: Shape) -> list[str]:
    found = []
    for at in _matches(shape):
        pattern = shape.words[at + 2 : at + 4]
        if [part.kind for part in pattern] != ["text", "mark"] or pattern[1].text != ")":
            found.append('matches() takes one written pattern, as in data.name.matches("^a+$")')
        elif any(loop.begin <= at < loop.end for loop in shape.loops):
            found.append(
                "matches() is not available inside a loop; use contains(), startsWith() or endsWith()"
            )
        elif len(pattern[0].text) > PATTERN_MAX or _repeats(pattern[0].text) > REPEATS_MAX:
            found.append(
                f"the pattern of matches() may have {PATTERN_MAX} characters and repetitions "
                f"such as {{3}} of {REPEATS_MAX} all in all, multiplied"
            )
    return found


def _matches(shape: Shape) -> Iterator[int]:
    for at, (word, after) in enumerate(pairwise(shape.words)):
        if word == Token("name", "matches") and after.text == "(":
            yield at


def _repeats(pattern: str) -> int:
    product = 1
    for least, most in _COUNTED.findall(pattern):
        product *= max(1, int(least), int(most or 0))
    return product


def _chains(shape: Shape) -> Iterator[tuple[str, bool]]:
    """Yield (path, asked about by has) for each chain of names that begins at ``data``."""
    words = shape.words
    for at, word in enumerate(words):
        if word != Token("name", "data") or (at and words[at - 1].text == "."):
            continue
        end = at + 1
        while end + 1 < len(words) and words[end].text == "." and words[end + 1].kind == "name":
            end += 2
        if end < len(words) and words[end].text == "(":
            end -= 2  # the last name is a function's
        if end > at + 1:
            asked = at > 1 and words[at - 2].text == "has" and words[at - 1].text == "("
            yield "".join(part.text for part in words[at:end]), asked
