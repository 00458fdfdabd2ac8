"""Whether the demo is open to visitors: its page hands out tokens to whoever asks.

Embedded it is open while the demo game exists, unless ``up --no-demo`` has closed it. On
services a game called ``demo`` may be anybody's, with players of flesh and blood, so there
it takes ``CLARION_DEMO=1`` as well.
"""

import threading

from django.conf import settings

from events.models import Game

SLUG = "demo"

_closed = threading.Event()


def close() -> None:
    """Keep visitors out for as long as this process lives."""
    _closed.set()


def open_game() -> Game | None:
    """Return the demo's game while visitors may play it."""
    if _closed.is_set() or not settings.CLARION_DEMO:
        return None
    return Game.objects.filter(slug=SLUG).first()
