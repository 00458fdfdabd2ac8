"""Each corruption, seeded in raw SQL, is found by ``manage.py verify``: named by its place, with what to do."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from events.log import witnesses
from events.models import Game
from notifications.models import Decision, Delivery, Notification
from tests.config.verifying.given import behind_its_back, given_busy_game, verify, without
from tests.config.verifying.seeds import SEEDS, Seed

pytestmark = pytest.mark.django_db(transaction=True)
UNIQUE = ((Decision, "decision_once"), (Delivery, "delivery_once"))


@pytest.fixture
def game() -> Iterator[Game]:
    """A busy game whose head was witnessed, without the constraints that an attacker drops first."""
    game = given_busy_game()
    witnesses.take()
    now = datetime.now(UTC)
    Delivery.objects.create(
        game=game, notification=Notification.objects.filter(player__key="carol").latest("number"),
        channel="webhook", state="sent", due_at=now, until=now, tries=1, created=now, finished=now,
    )  # fmt: skip
    assert verify(game.slug)[0] == 0
    with ExitStack() as dropped:
        for model, name in UNIQUE:
            dropped.enter_context(without(model, name))
        yield game


def sow(seed: Seed) -> None:
    for sql, values in seed.statements:
        behind_its_back(sql, *values)


def missing(game: Game, said: str, *seeds: Seed) -> list[str]:
    """Return what is not said of these seeds: each with the game's name, and what to do about each."""
    lines = [line for line in said.splitlines() if line.startswith(f"{game.slug}: ")]
    wanted = [text for seed in seeds for text in seed.told]
    wanted += [f"{game.slug}: what to do about {seed.check}: " for seed in seeds]
    return [text for text in wanted if not any(text in line for line in lines)]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.__name__)
def test_a_corruption_is_found_and_named_with_what_to_do(game: Game, seed: Callable[[Game], Seed]) -> None:
    sown = seed(game)
    sow(sown)
    code, said = verify(game.slug)
    assert code == 1
    assert missing(game, said, sown) == [], said


def test_all_of_them_together_hide_none(game: Game) -> None:
    sown = [seed(game) for seed in SEEDS]
    for seed in sown:
        sow(seed)
    code, said = verify(game.slug)
    assert code == 1
    assert missing(game, said, *sown) == [], said


def test_another_game_s_corruptions_are_not_held_against_this_one(game: Game) -> None:
    other = given_busy_game()
    for seed in SEEDS[:3]:
        sow(seed(other))
    assert verify(game.slug)[0] == 0
    assert verify(other.slug)[0] == 1
