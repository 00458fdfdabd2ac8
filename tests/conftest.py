"""What every test shares: a data folder of its own, files as SQLite databases, no world outside."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
BACKEND = os.environ.get("CLARION_TEST_BACKEND", "embedded")
DATA = Path(tempfile.mkdtemp(prefix=f"clarion-{WORKER}-"))

# Before Django reads its settings:
os.environ["CLARION_DATA"] = str(DATA)
os.environ["CLARION_ENTRY"] = "tests"
if BACKEND == "services":
    number = int(WORKER.removeprefix("gw") or 0)
    os.environ.setdefault("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/clarion")
    os.environ.setdefault("REDIS_URL", f"redis://127.0.0.1:6379/{12 + number % 3}")
    os.environ.setdefault("CELERY_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//")
    os.environ.setdefault("SECRET_KEY", "a secret of the tests, long enough for every check of Django's own")
    os.environ.setdefault("CLARION_TOKEN_KEY", "a token key of the tests, long enough for HS256")
    os.environ.setdefault("CLARION_ALLOWED_HOSTS", "*")
    os.environ.setdefault("CLARION_HTTPS", "0")
    os.environ["CLARION_PREFIX"] = f"test-{WORKER}-"
else:
    os.environ.pop("DATABASE_URL", None)

import pytest


@pytest.fixture(autouse=True)
def _nothing_stays_in_the_process() -> Iterator[None]:
    """Stop the append thread (its connection would outlive the test) and forget remembered rows."""
    yield
    from events.log import partitions
    from events.log.appending import committer
    from players import known, origins, tokens

    committer.stop()
    for remembering in (partitions, known, origins, tokens):
        remembering.forget()


@pytest.fixture
def services() -> bool:
    """Tell whether this run is on PostgreSQL, Redis and RabbitMQ."""
    return BACKEND == "services"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need services say so when they are asked for without them."""
    if BACKEND != "services":
        for item in items:
            if "services" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs CLARION_TEST_SERVICES=1"))
