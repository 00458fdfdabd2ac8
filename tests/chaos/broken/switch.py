"""Which parts are broken at this moment."""

import os
import random

from django.conf import settings

_dice = random.Random(settings.CHAOS_SEED)
os.register_at_fork(after_in_child=lambda: _dice.seed(settings.CHAOS_SEED + os.getpid()))


def on(name: str) -> bool:
    """Tell whether a part is to fail."""
    return (settings.CHAOS_FAULTS / name).exists()


def dice() -> float:
    """Return a number from 0 to 1; each process has a row of its own."""
    return _dice.random()


def tell(kind: str) -> None:
    """Write down that a fault was made, for the suite to count."""
    with (settings.CHAOS_FAULTS / "faults").open("a") as file:
        file.write(f"{kind}\n")
