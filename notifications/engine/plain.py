"""Templates that only insert names, rendered without Liquid's machinery: the same text, ten times sooner. Pure."""

from collections.abc import Mapping
from typing import Any

from liquid import BoundTemplate
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import OutputNode

Parts = tuple[str | tuple[str, ...], ...]
"""Text as it stands, and paths of names."""
OUTPUT_MAX = 64 * 1024
"""Characters; longer ones meet Liquid's own limit, which counts bytes."""

WHOLE_MAX = 2**64
"""Python refuses to write whole numbers of thousands of digits; Liquid's road says so as everything else."""


def parts_of(parsed: BoundTemplate) -> Parts | None:
    """Return what a template consists of, or None if there is more in it than text and names."""
    found: list[str | tuple[str, ...]] = []
    for node in parsed.nodes:
        if isinstance(node, ContentNode):
            found.append(node.text)
            continue
        if not isinstance(node, OutputNode) or type(node.expression) is not FilteredExpression:
            return None
        left = node.expression.left
        if node.expression.filters or type(left) is not Path:
            return None
        steps = tuple(left.path)
        if not all(isinstance(step, str) for step in steps):
            return None
        found.append(steps)  # type: ignore[arg-type] # texts all of them
    return tuple(found)


def filled(parts: Parts, words: Mapping[str, Any]) -> str | None:
    """Return the text, or None where Liquid has to say what a value looks like, or that it is missing."""
    written: list[str] = []
    for part in parts:
        if isinstance(part, str):
            written.append(part)
            continue
        value: Any = words
        for step in part:
            if type(value) is not dict or step not in value:
                return None
            value = value[step]
        if type(value) is int and -WHOLE_MAX <= value <= WHOLE_MAX:
            value = str(value)
        elif type(value) is not str:
            return None
        written.append(value)
    text = "".join(written)
    return text if len(text) <= OUTPUT_MAX else None
