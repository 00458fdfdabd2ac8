"""System checks: what would fail later fails at start, and says which variable to set.

``manage.py check`` runs them, and so do daphne and Celery before they serve.
"""

import sqlite3
from collections.abc import Iterator
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

SQLITE_MIN = (3, 38, 0)
"""The first with the ``->>`` operator, which the log's look-ups use."""
SECRET_MIN = 32
DRAIN_DELAY_MAX = 15
BROKERS = frozenset({"amqp", "amqps", "pyamqp", "redis", "rediss", "sentinel"})
REDIS = frozenset({"redis", "rediss", "unix"})
EXAMPLES = {
    "SECRET_KEY": "the output of: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
    "CLARION_TOKEN_KEY": "another such text; it signs players' tokens",
    "CLARION_ALLOWED_HOSTS": "clarion.example.com",
    "CLARION_CSRF_TRUSTED_ORIGINS": "https://clarion.example.com",
    "CLARION_DEMO_KEY": "another such text; the demo's game server posts with it",
    "CELERY_BROKER_URL": "amqp://clarion:password@rabbitmq:5672/clarion",
    "REDIS_URL": "redis://redis:6379/0",
    "EMAIL_URL": "smtp+tls://clarion:password@smtp.example.com:587",
    "CLARION_EMAIL_FROM": "Clarion <clarion@example.com>",
    "CLARION_CONSOLE_URL": "https://clarion.example.com",
}


def refuse_to_start(what: str) -> None:
    """Run all checks but the database's.

    Raises:
        ImproperlyConfigured: at least one of them found an error; the text holds all of them.
    """
    errors = [found for found in checks.run_checks() if found.is_serious()]
    if errors:
        listed = "\n".join(f"  {error.msg}" + (f" ({error.hint})" if error.hint else "") for error in errors)
        raise ImproperlyConfigured(f"{what} cannot start:\n{listed}")


@checks.register
def settings_are_complete(**_: Any) -> list[checks.CheckMessage]:
    """Services mode needs every variable that has no sensible default."""
    return list(_of_services() if settings.CLARION_SERVICES else _of_embedded())


def _of_services() -> Iterator[checks.CheckMessage]:
    for number, (name, value) in enumerate(_required(), start=1):
        if not value:
            yield checks.Error(
                f"{name} is not set", hint=f"set it, such as: {EXAMPLES[name]}", id=f"clarion.E{number:03}"
            )
    yield from _short_secrets()
    yield from _demo()
    yield from _odd_urls()
    if not 0 <= settings.CLARION_DRAIN_DELAY <= DRAIN_DELAY_MAX:
        yield checks.Error(
            f"CLARION_DRAIN_DELAY is {settings.CLARION_DRAIN_DELAY:g}; it may be 0 to {DRAIN_DELAY_MAX} seconds",
            hint="a process is gone 30 s after it was told to end, and requests under way need some of them",
            id="clarion.E022",
        )


def _required() -> list[tuple[str, Any]]:
    return [
        ("SECRET_KEY", settings.CLARION_SECRET_KEY_GIVEN),
        ("CLARION_TOKEN_KEY", settings.CLARION_TOKEN_KEY),
        ("CLARION_ALLOWED_HOSTS", settings.ALLOWED_HOSTS),
        ("CLARION_CSRF_TRUSTED_ORIGINS", settings.CSRF_TRUSTED_ORIGINS),
        ("CELERY_BROKER_URL", settings.CELERY_BROKER_URL),
        ("REDIS_URL", settings.REDIS_URL),
    ]


def _short_secrets() -> Iterator[checks.CheckMessage]:
    for name, value in (
        ("SECRET_KEY", settings.SECRET_KEY),
        ("CLARION_TOKEN_KEY", settings.CLARION_TOKEN_KEY),
        ("CLARION_DEMO_KEY", settings.CLARION_DEMO_KEY),
    ):
        given = value and (name != "SECRET_KEY" or settings.CLARION_SECRET_KEY_GIVEN)
        if given and len(value) < SECRET_MIN:
            yield checks.Error(
                f"{name} has {len(value)} characters; it needs at least {SECRET_MIN}",
                hint=f"set it to {EXAMPLES[name]}",
                id="clarion.E010",
            )
    if settings.CLARION_TOKEN_KEY and settings.CLARION_TOKEN_KEY == settings.SECRET_KEY:
        yield checks.Error(
            "CLARION_TOKEN_KEY is the same as SECRET_KEY",
            hint="they are rotated apart; set two different texts",
            id="clarion.E011",
        )


def _demo() -> Iterator[checks.CheckMessage]:
    if settings.CLARION_DEMO and not settings.CLARION_DEMO_KEY:
        yield checks.Error(
            "CLARION_DEMO is on, but CLARION_DEMO_KEY is not set",
            hint=f"set it to {EXAMPLES['CLARION_DEMO_KEY']}; then run: manage.py installdemo",
            id="clarion.E012",
        )


def _odd_urls() -> Iterator[checks.CheckMessage]:
    for name, url, schemes in (
        ("CELERY_BROKER_URL", settings.CELERY_BROKER_URL, BROKERS),
        ("REDIS_URL", settings.REDIS_URL, REDIS),
    ):
        scheme = urlsplit(url).scheme
        if url and scheme not in schemes:  # the URL itself may hold a password
            yield checks.Error(
                f"{name} begins with {scheme or 'no scheme'!r}; Clarion knows {', '.join(sorted(schemes))}",
                hint=f"set it, such as: {EXAMPLES[name]}",
                id="clarion.E021",
            )


@checks.register
def alarms_can_leave(**_: Any) -> list[checks.CheckMessage]:
    """Ask for what e-mails need, and for a whole address of the console."""
    return list(_of_mail())


def _of_mail() -> Iterator[checks.CheckMessage]:
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    if settings.CLARION_EMAIL and "@" not in sender:
        yield checks.Error(
            "EMAIL_URL is set, but CLARION_EMAIL_FROM is "
            + ("no e-mail address" if settings.DEFAULT_FROM_EMAIL else "not"),
            hint=f"set it, such as: {EXAMPLES['CLARION_EMAIL_FROM']}",
            id="clarion.E040",
        )
    url = settings.CLARION_CONSOLE_URL
    if url and urlsplit(url).scheme not in {"http", "https"}:
        yield checks.Error(
            f"CLARION_CONSOLE_URL is {url!r}, which is no web address",
            hint=f"set it, such as: {EXAMPLES['CLARION_CONSOLE_URL']}",
            id="clarion.E041",
        )


def _of_embedded() -> Iterator[checks.CheckMessage]:
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        yield checks.Error(
            f"this Python's SQLite is {sqlite3.sqlite_version}; Clarion needs at least"
            f" {'.'.join(map(str, SQLITE_MIN))}",
            hint="use a newer Python build, or PostgreSQL: DATABASE_URL=",
            id="clarion.E030",
        )


@checks.register(deploy=True)
def static_files_are_collected(**_: Any) -> list[checks.CheckMessage]:
    """On services the pages' files come from one folder, which a release fills."""
    if not settings.CLARION_SERVICES or (settings.STATIC_ROOT / "staticfiles.json").exists():
        return []
    return [
        checks.Warning(
            f"there are no collected static files in {settings.STATIC_ROOT}",
            hint="run: manage.py collectstatic --noinput",
            id="clarion.W001",
        )
    ]
