"""The log against a dictionary: whatever is appended in whatever order, both say the same."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TransactionTestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from events.lanes import Lane
from events.log.entries import Appended, Conflict, Duplicate
from events.log.partitions import number_of
from events.models import Event, Partition
from tests.events.log.test_append import chain_problems
from tests.given import an_event, given_events, given_game

STREAMS = st.sampled_from(["alice", "bob", "s3", "guild/4"])
IDS = st.integers(0, 30).map(lambda n: f"id{n}")
ITEMS = st.lists(
    st.tuples(IDS, STREAMS, st.none() | st.integers(0, 6), st.sampled_from(Lane)), min_size=1, max_size=8
)


class LogAgainstDictionary(RuleBasedStateMachine):
    """The model: a dictionary of places by id, and a counter per stream and partition."""

    @initialize()
    def start(self) -> None:
        self.game = given_game(partitions=3)
        self.places: dict[str, tuple[str, int, int, int]] = {}
        self.versions: dict[str, int] = {}
        self.heads: dict[int, int] = {}

    @rule(items=ITEMS)
    def append(self, items: list[tuple[str, str, int | None, Lane]]) -> None:
        """Append a batch in one lane; the model judges the same items one by one."""
        lane = items[0][3]
        envelopes = [an_event(id=i, stream=s, expected_version=expected) for i, s, expected, _ in items]
        outcomes = given_events(self.game, *envelopes, lane=lane)
        assert [self._described(outcome) for outcome in outcomes] == [
            self._judged(event_id, stream, expected) for event_id, stream, expected, _ in items
        ]

    def _judged(self, event_id: str, stream: str, expected: int | None) -> tuple[Any, ...]:
        if event_id in self.places:
            return ("duplicate", *self.places[event_id])
        version = self.versions.get(stream, 0)
        if expected is not None and expected != version:
            return ("conflict", expected, version)
        partition = number_of(stream, 3)
        self.versions[stream] = version + 1
        self.heads[partition] = self.heads.get(partition, 0) + 1
        self.places[event_id] = (stream, version + 1, partition, self.heads[partition])
        return ("appended", *self.places[event_id])

    @staticmethod
    def _described(outcome: Appended | Duplicate | Conflict) -> tuple[Any, ...]:
        if isinstance(outcome, Conflict):
            return ("conflict", outcome.expected, outcome.actual)
        word = "appended" if isinstance(outcome, Appended) else "duplicate"
        return (word, outcome.stream, outcome.version, outcome.partition, outcome.offset)

    @invariant()
    def the_table_holds_what_the_model_holds(self) -> None:
        if not hasattr(self, "game"):
            return
        rows = Event.objects.filter(game=self.game).values_list(
            "event_id", "stream", "version", "partition__number", "offset"
        )
        assert {row[0]: tuple(row[1:]) for row in rows} == self.places
        heads = Partition.objects.filter(game=self.game).values_list("number", "head")
        assert {number: head for number, head in heads if head} == self.heads
        assert chain_problems(self.game.id) == []


@pytest.mark.django_db(transaction=True)
class TestLog(TransactionTestCase):
    """Runs the machine; each example has a game of its own."""

    def test_the_log_is_a_dictionary_with_places(self) -> None:
        machine = LogAgainstDictionary.TestCase
        machine.settings = settings(
            max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        )
        machine("runTest").runTest()
