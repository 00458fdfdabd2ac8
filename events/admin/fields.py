"""Form fields of the console."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget

from events.envelope.hazards import problems_in


class JSONArea(forms.JSONField):
    """JSON, indented for reading, with every script as it is. Takes what the log would take."""

    widget = UnfoldAdminTextareaWidget(
        attrs={"rows": 12, "class": "console-code-input", "spellcheck": "false"}
    )

    def prepare_value(self, value: Any) -> Any:
        """Indent what is stored; leave what was typed."""
        if isinstance(value, str) or value is None:
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        """Refuse what JSON allows and no database keeps, such as NaN or half a surrogate pair."""
        if isinstance(value, str):
            for pointer, problem in _problems(value):
                raise ValidationError(f"{pointer or 'It'} {problem}.")
        return super().to_python(value)


def _problems(text: str) -> list[tuple[str, str]]:
    try:
        return problems_in(text, "")
    except ValueError:
        return []  # no JSON at all, which the field itself says better


class Lines(forms.CharField):
    """A list of texts, one on each line; kept without repeats."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """Write a list line by line."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Read the lines."""
        lines = (line.strip() for line in (super().to_python(value) or "").splitlines())
        return list(dict.fromkeys(line for line in lines if line))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare lists, not their looks."""
        return bool(self.to_python(data) != (initial or []))
