"""A real process is killed between sending and committing: the next one repeats it, with the same id."""

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection

from notifications.delivery import claim
from notifications.models import Delivery
from tests.config.processes import ROOT, clean_environment
from tests.events.webhooks.receiver import Receiver
from tests.given import given_game
from tests.notifications.delivery.scene import deliver, fresh, given_delivery, given_endpoint, make_due, now
from tests.settings import BACKEND

pytestmark = pytest.mark.django_db(transaction=True)

SENDS_AND_NEVER_COMMITS = """
import signal, sys
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
import django
django.setup()
from notifications.delivery import turns

def never(*_):
    print("sent", flush=True)
    signal.pause()

turns.settle = never
turns.work_for(20)
"""


def environment() -> dict[str, str]:
    """Return what makes a process one of this test's Clarion."""
    import os  # noqa: PLC0415 - the environment that tests.settings has made

    kept = {
        name: os.environ[name]
        for name in (
            "CLARION_DATA", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY", "CLARION_TOKEN_KEY",
            "CLARION_ALLOWED_HOSTS", "CLARION_HTTPS", "CLARION_PREFIX",
        )
        if name in os.environ
    }  # fmt: skip
    return clean_environment(
        **kept,
        CLARION_ENTRY="tests",
        CLARION_WEBHOOK_NETWORKS="127.0.0.0/8",
        DJANGO_SETTINGS_MODULE="config.settings",
    )


def killed_between_sending_and_committing() -> None:
    """Let a process send what is due, and kill it before it commits."""
    name = str(connection.settings_dict["NAME"])
    process = subprocess.Popen(
        [sys.executable, "-c", SENDS_AND_NEVER_COMMITS, name],
        cwd=ROOT,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "sent\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


def test_the_next_one_repeats_it_with_the_same_id_and_there_is_never_a_second_row(receiver: Receiver) -> None:
    game = given_game()
    given_endpoint(game, receiver.url)
    row = given_delivery(game, channel="webhook")
    killed_between_sending_and_committing()
    assert receiver.ids == [row.idempotency_id]
    assert (fresh(row).state, fresh(row).tries) == ("sending", 1)
    deliver()
    assert len(receiver.calls) == 1  # its lease is not over
    assert claim.due(now() + claim.LEASE + timedelta(seconds=1)).get() == row
    make_due(row)
    deliver()
    assert receiver.ids == [row.idempotency_id] * 2
    assert receiver.calls[0].body == receiver.calls[1].body
    assert (fresh(row).state, fresh(row).tries) == ("sent", 2)
    assert [each.get("ended") for each in fresh(row).history] == ["interrupted", "delivered"]
    assert Delivery.objects.count() == 1
    assert settings.CLARION_SERVICES is (BACKEND == "services")
