"""Work that others may have died of is left to those whose end costs least."""

from datetime import UTC, datetime, timedelta

import pytest

from events.hubs import claim as claims
from events.hubs import patience
from events.hubs.letters.work import work_for
from events.hubs.patience import GATEWAY, PROMPT, WORKER, Patience
from events.lanes import Lane
from events.models import Checkpoint, DeadLetter
from tests.events.hubs.conftest import MakeHub
from tests.events.hubs.letters.parked import Poison, given_parked
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)


def noted(recording_hub: MakeHub, ago_s: float, *, tries: int, alone: bool = False) -> None:
    """Leave a checkpoint as a process leaves it that ended so long ago."""
    recording_hub()
    given_events(given_game(partitions=1), an_event())
    assert claims.take("recorder", Lane.NORMAL, 100, set())
    Checkpoint.objects.filter(lane=Lane.NORMAL).update(
        noted_at=datetime.now(UTC) - timedelta(seconds=ago_s), noted_tries=tries, alone_left=int(alone)
    )


@pytest.mark.parametrize(
    ("who", "ago_s", "after", "takes"),
    [
        (PROMPT, 0.5, (1, False), False),
        (PROMPT, 1.5, (1, False), True),
        (PROMPT, 1.5, (2, False), True),
        (PROMPT, 2.5, (1, True), False),
        (PROMPT, 3.5, (1, True), True),
        (WORKER, 1.5, (1, False), True),
        (WORKER, 2.5, (2, False), False),
        (WORKER, 3.5, (2, False), True),
        (WORKER, 4.5, (1, True), False),
        (WORKER, 5.5, (1, True), True),
        (GATEWAY, 2.0, (1, False), False),
        (GATEWAY, 3.0, (1, False), True),
        (GATEWAY, 11.0, (2, False), False),
        (GATEWAY, 11.0, (1, True), False),
        (GATEWAY, 13.0, (2, False), True),
        (GATEWAY, 13.0, (1, True), True),
    ],
)
def test_each_kind_of_process_waits_its_time(
    recording_hub: MakeHub, who: Patience, ago_s: float, after: tuple[int, bool], takes: bool
) -> None:
    tries, alone = after
    noted(recording_hub, ago_s, tries=tries, alone=alone)
    patience.take_on(who)
    assert claims.claimable("recorder", Lane.NORMAL) is takes
    assert (claims.take("recorder", Lane.NORMAL, 100, set()) is not None) is takes


@pytest.mark.parametrize(
    ("who", "late_s", "retries"), [(PROMPT, 1, 1), (WORKER, 5, 0), (GATEWAY, 60, 0), (GATEWAY, 130, 1)]
)
def test_dead_letters_are_retried_by_gateways_only_where_no_worker_does(
    recording_hub: MakeHub, who: Patience, late_s: float, retries: int
) -> None:
    given_parked(recording_hub, Poison(("s", 2)))
    DeadLetter.objects.update(next_retry=datetime.now(UTC) - timedelta(seconds=late_s))
    patience.take_on(who)
    work_for(10)
    assert DeadLetter.objects.get().retries == retries
