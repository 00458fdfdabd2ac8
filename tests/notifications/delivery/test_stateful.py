"""The life of deliveries, whatever happens to them in whatever order: claims, crashes, answers, staff, ends.

Time is the machine's own. Whoever sends may be frozen or killed at each step: a claim, a try
and its outcome are three rules, and what was claimed may be left lying for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TransactionTestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from events import webhooks
from events.webhooks import Answer, Verdict
from events.webhooks.answers import judged
from notifications.delivery import claim as claiming
from notifications.delivery import hints, operating, outlets, schedule, settling, sweeping, turns
from notifications.delivery.claim import Claimed
from notifications.delivery.settling import Outcome
from notifications.models import Delivery, Notification, WebhookEndpoint
from players.erasing import erase
from players.models import Player
from tests.given import given_game, hubs_catch_up
from tests.notifications.given import decide, given_levels, given_rule

BEGAN = datetime(2030, 1, 1, 12, tzinfo=UTC)
TRIES = len(schedule.DELAYS_S) + 1
FINAL = frozenset(settling.ENDED)
SECONDS = st.sampled_from([1, 9, 29, 31, 61, 400, 3_600, 6 * 3_600, 25 * 3_600])
UNREACHABLE = [
    Answer(verdict=Verdict.TRANSIENT, error=error, detail=error) for error in ("timeout", "not connected")
]
PLACES = st.integers(0, 9)


@dataclass
class Known:
    """What the model knows of one row."""

    expires: datetime | None
    retries: int = 0  # by staff
    not_before: datetime = BEGAN  # what the other side has asked for
    last_claim: datetime = BEGAN - timedelta(days=1)


class LifeOfDeliveries(RuleBasedStateMachine):
    """The rows against what was promised about them."""

    @initialize()
    def start(self) -> None:
        self.clock = time_machine.travel(BEGAN, tick=False)
        self.time = self.clock.start()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(webhooks, "post", self.answered)
        self.patch.setattr(hints, "hint", lambda: None)
        self.patch.setattr(schedule, "JITTER", 0.0)
        self.game = given_game(partitions=1)
        WebhookEndpoint.objects.create(game=self.game, url="https://hooks.example/", salt=b"x" * 32)
        outlets.put(self.game.id, "webhook", enabled=True)
        for key, more in (("alice", {}), ("bob", {"ttl_s": 7_200})):
            given_rule(self.game, channels=["webhook"], event_type=f"{key}.rose", **more)
            given_levels(self.game, 5, key=key, type=f"{key}.rose")
        decide()
        expires = dict(Notification.objects.filter(game=self.game).values_list("uid", "expires"))
        rows = Delivery.objects.filter(game=self.game)
        self.known = {row.pk: Known(expires=expires[row.notification_id]) for row in rows}
        self.ids = {row.pk: row.idempotency_id for row in rows}
        assert len(self.known) == 2
        self.claims: list[Claimed] = []
        self.outcomes: list[Outcome] = []
        self.erased = False
        self.answer = judged(200, "", BEGAN)
        self.sent: list[str] = []

    def teardown(self) -> None:
        if hasattr(self, "clock"):
            try:
                self.in_the_end_all_of_it_ends()
            finally:
                self.patch.undo()
                self.clock.stop()

    def answered(self, _url: str, _body: bytes, headers: Mapping[str, str], **_: Any) -> Answer:
        """Stand for the endpoint."""
        self.sent.append(headers["webhook-id"])
        return self.answer

    # -- what happens --------------------------------------------------------------------------------

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.time.shift(seconds)

    @rule()
    def somebody_claims(self) -> None:
        """Whatever is claimed is due, has been asked to wait no longer, and nobody else can be at it."""
        before = {row.pk: row for row in Delivery.objects.filter(game=self.game)}
        now = datetime.now(UTC)
        for claimed in claiming.claim(100, now):
            row, known = before[claimed.delivery_id], self.known[claimed.delivery_id]
            assert row.state not in FINAL
            assert row.due_at <= now < row.until
            assert known.not_before <= now
            assert now - known.last_claim >= claiming.LEASE or row.state == "waiting"
            assert known.expires is None or now < known.expires
            assert not self.erased
            assert claimed.letter.id == self.ids[row.pk]
            known.last_claim = now
            self.claims.append(claimed)

    @precondition(lambda self: self.claims)
    @rule(place=PLACES, status=st.sampled_from([200, 204, 400, 410, 500, 503]))
    def it_is_tried(self, place: int, status: int) -> None:
        self._try(place, judged(status, "", datetime.now(UTC)))

    @precondition(lambda self: self.claims)
    @rule(place=PLACES, answer=st.sampled_from(UNREACHABLE))
    def it_is_tried_and_nobody_answers(self, place: int, answer: Answer) -> None:
        self._try(place, answer)

    @precondition(lambda self: self.claims)
    @rule(place=PLACES, seconds=st.sampled_from([1, 45, 7_000, 40_000]), as_a_date=st.booleans())
    def it_is_tried_and_asked_to_wait(self, place: int, seconds: int, as_a_date: bool) -> None:
        now = datetime.now(UTC)
        date = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
        answer = judged(429, date if as_a_date else str(seconds), now)
        assert answer.retry_after_s == seconds
        self._try(place, answer)

    def _try(self, place: int, answer: Answer) -> None:
        """A try keeps the id, and is made within half of its lease or not at all."""
        claimed = self.claims.pop(place % len(self.claims))
        self.answer, count = answer, len(self.sent)
        outcome = turns.make(claimed)
        now, known = datetime.now(UTC), self.known[claimed.delivery_id]
        late = now > known.last_claim + claiming.LEASE - claiming.LONGEST
        stale = known.expires is not None and known.expires <= now
        if late or stale or claimed.begin_by < now:
            assert len(self.sent) == count
        else:
            assert self.sent[count:] == [self.ids[claimed.delivery_id]]
        if outcome is not None:
            self.outcomes.append(outcome)

    @precondition(lambda self: self.outcomes)
    @rule(place=PLACES)
    def its_outcome_is_committed(self, place: int) -> None:
        outcome = self.outcomes.pop(place % len(self.outcomes))
        pk, now = outcome.claimed.delivery_id, datetime.now(UTC)
        before = Delivery.objects.filter(pk=pk).first()
        state = settling.settle(outcome, now)
        row = Delivery.objects.filter(pk=pk).first()
        if state is None or before is None or row is None:
            return
        delivered = outcome.fault is None and not outcome.expired
        assert before.state == "sending" or delivered  # a late word counts only if it is a good one
        assert (row.state == "sent") == delivered
        if outcome.fault is not None and outcome.fault.permanent:
            assert row.state == "dead"
        if row.state == "waiting":
            assert outcome.fault is not None
            wait = max(schedule.DELAYS_S[row.step - 1], outcome.fault.retry_after_s or 0)
            assert row.due_at == now + timedelta(seconds=wait)
            self.known[pk].not_before = row.due_at

    @rule()
    def a_worker_is_killed(self) -> None:
        """Nobody ever hears of what it had claimed or sent."""
        self.claims.clear()
        self.outcomes.clear()

    @rule()
    def the_sweep_comes(self) -> None:
        sweeping.end_outlived()

    @rule(place=PLACES)
    def staff_send_again(self, place: int) -> None:
        pk = sorted(self.known)[place % len(self.known)]
        if operating.retry(Delivery.objects.filter(pk=pk), "olive", "mended"):
            self.known[pk].retries += 1
            self.known[pk].not_before = datetime.now(UTC)

    @rule(place=PLACES)
    def staff_give_up(self, place: int) -> None:
        pk = sorted(self.known)[place % len(self.known)]
        operating.cancel(Delivery.objects.filter(pk=pk), "olive", "nobody wants it")

    @rule()
    def the_hub_does_its_batch_again(self) -> None:
        from events.models import Checkpoint  # noqa: PLC0415 - only here

        Checkpoint.objects.filter(hub="decisions", partition__game=self.game).update(position=0)
        hubs_catch_up(["decisions"])

    @precondition(lambda self: not self.erased)
    @rule(yes=st.integers(0, 3))
    def all_players_are_erased(self, yes: int) -> None:
        if yes:  # one time in four: much else is to happen to those who live
            return
        for player in Player.objects.filter(game=self.game):
            erase(player)
        self.erased = True

    # -- what is always so ---------------------------------------------------------------------------

    @invariant()
    def there_is_one_row_each_and_its_tries_are_bounded(self) -> None:
        if not hasattr(self, "known"):
            return
        rows = list(Delivery.objects.filter(game=self.game))
        assert {row.pk: row.idempotency_id for row in rows} == self.ids
        for row in rows:
            assert row.tries <= TRIES * (1 + self.known[row.pk].retries)
            assert (row.state in FINAL) == (row.finished is not None)

    def in_the_end_all_of_it_ends(self) -> None:
        """Let everything go well for two days."""
        self.a_worker_is_killed()
        for hours in (1, 14, 14, 25):
            self.time.shift(hours * 3_600)
            self.somebody_claims()
            while self.claims:
                self.it_is_tried(0, 200)
            while self.outcomes:
                self.its_outcome_is_committed(0)
            sweeping.end_outlived()
        assert set(Delivery.objects.filter(game=self.game).values_list("state", flat=True)) <= FINAL


@pytest.mark.django_db(transaction=True)
class TestLifeOfDeliveries(TransactionTestCase):
    """Runs the machine; each example has a game of its own."""

    def test_a_delivery_keeps_its_id_its_row_and_its_bounds_whatever_happens(self) -> None:
        machine = LifeOfDeliveries.TestCase
        machine.settings = settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        )
        machine("runTest").runTest()
