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

import pytest  # noqa: E402 - pytest-django reads the environment when it is loaded


@pytest.fixture(autouse=True)
def _nothing_stays_in_the_process() -> Iterator[None]:
    """Stop the append thread (its connection would outlive the test) and forget remembered rows."""
    yield
    from events import games, keys  # noqa: PLC0415 - Django's apps are loaded only now
    from events.log import partitions  # noqa: PLC0415 - as above
    from events.log.appending import committer  # noqa: PLC0415 - as above
    from notifications import rulebook  # noqa: PLC0415 - as above
    from players import known, origins, tokens  # noqa: PLC0415 - as above

    committer.stop()
    for remembering in (games, keys, partitions, rulebook, known, origins, tokens):
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
