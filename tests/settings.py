"""Clarion's settings for the tests: a data folder of their own, and services where they are asked for.

pytest-django loads settings before any conftest, so what they read from the environment is
put there here. ``CLARION_TEST_BACKEND=services`` asks for PostgreSQL, Redis and RabbitMQ.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
BACKEND = os.environ.get("CLARION_TEST_BACKEND", "embedded")
DATA = Path(tempfile.mkdtemp(prefix=f"clarion-{WORKER}-"))
atexit.register(shutil.rmtree, DATA, ignore_errors=True)

os.environ["CLARION_DATA"] = str(DATA)
os.environ["CLARION_ENTRY"] = "tests"
if BACKEND == "services":
    os.environ.setdefault("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/clarion")
    os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:6379/12")
    os.environ.setdefault("CELERY_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//")
    os.environ.setdefault("SECRET_KEY", "a secret of the tests, long enough for every check of Django's own")
    os.environ.setdefault("CLARION_TOKEN_KEY", "a token key of the tests, long enough for HS256")
    os.environ.setdefault("CLARION_ALLOWED_HOSTS", "*")
    os.environ.setdefault("CLARION_HTTPS", "0")
    os.environ["CLARION_PREFIX"] = f"test-{WORKER}-"
else:
    os.environ.pop("DATABASE_URL", None)

from config.settings import *  # noqa: E402, F403 - the environment comes first, and all of them are wanted
