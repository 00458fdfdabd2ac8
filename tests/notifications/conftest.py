"""What this room's tests share."""

from collections.abc import Iterator

import pytest

from notifications.push import publishing
from tests.notifications.given import Pushes


@pytest.fixture
def pushes() -> Iterator[Pushes]:
    """Keep what is published, instead of sending it."""
    kept = Pushes()
    publishing.use(kept)
    yield kept
    publishing.use(None)
