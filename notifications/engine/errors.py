"""The one error that leaves the engine: a rule that cannot be compiled."""

from collections.abc import Sequence


class RuleInvalid(ValueError):
    """A rule's definition cannot be used. ``problems`` names each field and what to do about it.

    Raised by ``compile_rule`` only. Nothing that happens on an event is raised: it becomes
    a decision with the outcome ``failed``.
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems: list[tuple[str, str]] = list(problems)
        super().__init__("; ".join(f"{field}: {message}" for field, message in self.problems))
