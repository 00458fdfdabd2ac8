"""What would fail later fails at start, and names the variable to set."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from config import checks

LONG = "-and-more-of-it-that-is-not-repeated-0123456789"
COMPLETE: dict[str, Any] = {
    "CLARION_SERVICES": True,
    "CLARION_SECRET_KEY_GIVEN": True,
    "SECRET_KEY": f"s{LONG}",
    "CLARION_TOKEN_KEY": f"t{LONG}",
    "CLARION_DEMO": False,
    "CLARION_DEMO_KEY": "",
    "ALLOWED_HOSTS": ["clarion.example.com"],
    "CSRF_TRUSTED_ORIGINS": ["https://clarion.example.com"],
    "CELERY_BROKER_URL": "amqp://rabbitmq.example//",
    "REDIS_URL": "redis://redis.example/0",
}


def found(settings: Settings, **changes: Any) -> dict[str, str]:
    """Return what the check says of complete settings with some changes: text by id."""
    for name, value in {**COMPLETE, **changes}.items():
        setattr(settings, name, value)
    return {each.id or "": f"{each.msg} | {each.hint}" for each in checks.settings_are_complete()}


def test_a_complete_set_is_fine(settings: Settings) -> None:
    assert found(settings) == {}
    assert found(settings, CLARION_DEMO=True, CLARION_DEMO_KEY=f"d{LONG}") == {}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("SECRET_KEY", {"CLARION_SECRET_KEY_GIVEN": False, "SECRET_KEY": "unset"}),
        ("CLARION_TOKEN_KEY", {"CLARION_TOKEN_KEY": ""}),
        ("CLARION_ALLOWED_HOSTS", {"ALLOWED_HOSTS": []}),
        ("CLARION_CSRF_TRUSTED_ORIGINS", {"CSRF_TRUSTED_ORIGINS": []}),
        ("CELERY_BROKER_URL", {"CELERY_BROKER_URL": ""}),
        ("REDIS_URL", {"REDIS_URL": ""}),
    ],
)
def test_a_missing_variable_is_one_error_with_an_example(
    settings: Settings, name: str, changes: dict[str, Any]
) -> None:
    (text,) = found(settings, **changes).values()
    assert text.startswith(f"{name} is not set | set it, such as: {checks.EXAMPLES[name]}")


def test_all_that_is_missing_is_told_at_once(settings: Settings) -> None:
    missing = found(
        settings,
        CLARION_SECRET_KEY_GIVEN=False,
        CLARION_TOKEN_KEY="",
        ALLOWED_HOSTS=[],
        CSRF_TRUSTED_ORIGINS=[],
        CELERY_BROKER_URL="",
        REDIS_URL="",
    )
    assert sorted(missing) == [f"clarion.E00{number}" for number in range(1, 7)]


@pytest.mark.parametrize("name", ["SECRET_KEY", "CLARION_TOKEN_KEY", "CLARION_DEMO_KEY"])
def test_a_short_secret_is_refused_and_not_repeated(settings: Settings, name: str) -> None:
    said = found(settings, **{name: "hunter2"})
    assert said["clarion.E010"].startswith(f"{name} has 7 characters; it needs at least 32")
    assert "hunter2" not in said["clarion.E010"]
    assert found(settings, **{name: "x" * 32}) == {}


def test_one_secret_for_two_purposes_is_refused(settings: Settings) -> None:
    assert list(found(settings, CLARION_TOKEN_KEY=COMPLETE["SECRET_KEY"])) == ["clarion.E011"]


def test_an_open_demo_needs_its_key(settings: Settings) -> None:
    said = found(settings, CLARION_DEMO=True)
    assert list(said) == ["clarion.E012"]
    assert "manage.py installdemo" in said["clarion.E012"]


@pytest.mark.parametrize(
    ("name", "url", "scheme"),
    [
        ("CELERY_BROKER_URL", "kafka://user:hunter2@kafka.example", "'kafka'"),
        ("CELERY_BROKER_URL", "user:hunter2@rabbitmq.example", "'user'"),
        ("REDIS_URL", "http://user:hunter2@redis.example", "'http'"),
        ("REDIS_URL", "//user:hunter2@redis.example", "'no scheme'"),
    ],
)
def test_an_address_of_something_else_is_refused_without_its_password(
    settings: Settings, name: str, url: str, scheme: str
) -> None:
    (text,) = found(settings, **{name: url}).values()
    assert text.startswith(f"{name} begins with {scheme}; Clarion knows ")
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "url", ["amqps://a/b", "pyamqp://a//", "redis://a/0", "rediss://a/0", "sentinel://a:1"]
)
def test_every_broker_that_clarion_knows_is_accepted(settings: Settings, url: str) -> None:
    assert found(settings, CELERY_BROKER_URL=url) == {}


def test_embedded_asks_only_for_a_new_enough_sqlite(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = {"SECRET_KEY": "x", "CLARION_TOKEN_KEY": "", "REDIS_URL": "", "CELERY_BROKER_URL": ""}
    assert found(settings, CLARION_SERVICES=False, **empty) == {}
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 37, 2))
    assert list(found(settings, CLARION_SERVICES=False, **empty)) == ["clarion.E030"]


def test_a_deployment_without_collected_files_is_warned(settings: Settings, tmp_path: Path) -> None:
    settings.CLARION_SERVICES, settings.STATIC_ROOT = True, tmp_path
    (warning,) = checks.static_files_are_collected()
    assert (warning.id, warning.hint) == ("clarion.W001", "run: manage.py collectstatic --noinput")
    (tmp_path / "staticfiles.json").write_text("{}")
    assert checks.static_files_are_collected() == []


def test_both_checks_are_run_by_djangos_own_command() -> None:
    assert checks.settings_are_complete in registry.registered_checks
    assert checks.static_files_are_collected in registry.deployment_checks


def test_a_server_that_cannot_start_says_everything_that_is_wrong(settings: Settings) -> None:
    found(settings, REDIS_URL="", CLARION_TOKEN_KEY="short")
    with pytest.raises(ImproperlyConfigured) as refused:
        checks.refuse_to_start("The gateway")
    said = str(refused.value)
    assert said.startswith("The gateway cannot start:\n")
    assert "REDIS_URL is not set (set it, such as:" in said
    assert "CLARION_TOKEN_KEY has 5 characters" in said
