"""Hundreds of lives on a bad network: every device ends up with everything, once and in order."""

import pytest

from tests.notifications.gateway.simulation import simulate

SEEDS = 60
PARTS = 6


@pytest.mark.parametrize("part", range(PARTS))
def test_every_device_has_everything_once_and_in_order_whatever_hints_do(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(part, SEEDS, PARTS):
        assert simulate(seed, monkeypatch) == [], f"seed {seed}"


def test_without_the_look_the_same_weather_leaves_devices_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the simulation would not notice either."""
    stuck = [seed for seed in range(SEEDS // 4) if simulate(seed, monkeypatch, looks=False)]
    assert stuck
