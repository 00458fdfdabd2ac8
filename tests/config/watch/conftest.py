"""A watch with a clock that tests set, and real ways out."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.watch import kinds, state, telling
from config.watch.conditions import Condition
from events import producers
from events.models import Alarm, AlarmRecipient, Severity
from events.webhooks import new_salt
from tests.config.watch.mail_server import MailServer, mail_server
from tests.events.webhooks.conftest import inside, receiver  # noqa: F401 - fixtures


class Time:
    """What time it is, for everything that a test calls."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def passes(self, **units: float) -> datetime:
        self.now += timedelta(**units)
        return self.now

    def finds(self, *conditions: Condition, looked: tuple[str, ...] = ()) -> None:
        """Let a look find these, and nothing else of the kinds that it looked at."""
        everything = {condition.kind for condition in conditions} | set(looked or kinds.KINDS)
        state.settle(kinds.in_force(), everything, conditions, self.now)

    def tells(self) -> int:
        return telling.tell(self.now)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    """A mail server that keeps what it gets, and Clarion set to use it."""
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.CLARION_EMAIL = True
        settings.DEFAULT_FROM_EMAIL = "Clarion <clarion@ops.example>"
        yield server


@pytest.fixture(autouse=True)
def _nothing_is_counted() -> Iterator[None]:
    producers.forget()
    yield
    producers.forget()


def late(value: float = 9, key: str = "decisions", **fields: Any) -> Condition:
    """The urgent lane is late: critical, opens after ten seconds, ends after sixty."""
    return Condition(
        kind="lag_urgent",
        key=key,
        value=value,
        limit=2,
        text="The urgent lane is late.",
        url="/admin/",
        **fields,
    )


def letters(**fields: Any) -> Condition:
    """Streams were parked: a warning that opens at once."""
    return Condition(
        kind="dead_letters", value=3, limit=0, text="3 streams were parked.", url="/admin/", **fields
    )


def somebody(
    address: str, channel: str = "webhook", severity: str = Severity.WARNING, **fields: Any
) -> AlarmRecipient:
    return AlarmRecipient.objects.create(
        name=fields.pop("name", f"{channel} {AlarmRecipient.objects.count()}"),
        channel=channel, address=address, severity=severity, salt=new_salt(), **fields,
    )  # fmt: skip


def opened() -> list[Alarm]:
    """The alarms that are open."""
    return list(Alarm.objects.filter(ended=None).exclude(opened=None).order_by("kind", "key"))
