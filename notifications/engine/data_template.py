"""The data that goes with a notification: a JSON object whose texts may be templates. Pure."""

import re
from collections.abc import Callable
from typing import Any

from notifications.engine.content import DATA_DEPTH_MAX, CopyLeaf, Shaped
from notifications.engine.paths import PathInvalid, parse_path
from notifications.engine.templates import TemplateInvalid, compile_template

LEAF_SOURCE_MAX = 1_000  # characters
LEAVES_MAX = 100

_WHOLE = re.compile(r"\{\{\s*(data(?:\.[A-Za-z_][\w-]*)+)\s*\}\}", re.ASCII)

Refuse = Callable[[str, str], None]


def compile_data(shape: Any, refuse: Refuse) -> dict[str, Shaped]:
    """Compile the template of a notification's data; None is an empty one.

    A text that is nothing but one path, such as ``"{{ data.level }}"``, keeps the type of
    what it finds.
    """
    if shape is None:
        return {}
    if not isinstance(shape, dict):
        refuse("data", 'takes an object, as in {"match": "{{ data.match_id }}"}')
        return {}
    compiler = _Compiler(refuse)
    compiled = {str(name): compiler.value(f"data.{name}", value, 1) for name, value in shape.items()}
    if compiler.leaves > LEAVES_MAX:
        refuse("data", f"has {compiler.leaves} values, at most {LEAVES_MAX}")
    return compiled


class _Compiler:
    def __init__(self, refuse: Refuse) -> None:
        self.refuse = refuse
        self.leaves = 0

    def value(self, field: str, value: Any, depth: int) -> Shaped:
        if depth > DATA_DEPTH_MAX:
            self.refuse(field, f"is nested beyond {DATA_DEPTH_MAX} levels")
            return None
        if isinstance(value, dict):
            return {
                str(name): self.value(f"{field}.{name}", inner, depth + 1) for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.value(field, inner, depth + 1) for inner in value]
        self.leaves += 1
        return self._text(field, value) if isinstance(value, str) else self._plain(field, value)

    def _plain(self, field: str, value: Any) -> Shaped:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        self.refuse(field, "takes JSON")
        return None

    def _text(self, field: str, text: str) -> Shaped:
        try:
            if whole := _WHOLE.fullmatch(text.strip()):
                return CopyLeaf(parse_path(whole[1]))
            template = compile_template(text, LEAF_SOURCE_MAX)
        except (TemplateInvalid, PathInvalid) as error:
            self.refuse(field, str(error))
            return None
        return text if template.plain else template
