"""Live's projection, deciding late."""

from collections.abc import Sequence

from events.log.logged import LoggedEvent
from notifications.decisions.projection import Decisions
from notifications.decisions.writing import Writer
from notifications.engine import CompiledRule


class LateDecisions(Decisions):
    """Live's projection with one rule, as it was when the replay began."""

    def __init__(self, rule: CompiledRule, replay_id: int) -> None:
        """Decide by this rule only, in the name of this replay."""
        self._rule = rule
        self.replay_id = replay_id
        self.writer: Writer | None = None

    def rules(self, event: LoggedEvent) -> Sequence[CompiledRule]:
        """Return the one rule."""
        return (self._rule,) if event.type == self._rule.event_type else ()

    def wrote(self, writer: Writer) -> None:
        """Keep it, to be counted."""
        self.writer = writer
