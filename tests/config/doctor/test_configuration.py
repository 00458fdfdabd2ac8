"""Settings: what would fail is told by the variable to set, and no secret is repeated."""

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from pytest_django import Settings

from config.doctor import configuration, versions
from config.doctor.finding import Level
from tests.config.doctor.conftest import SECRET, lines, looked

LONG = "-and-more-of-it-that-is-not-repeated-anywhere-0123456789"


@pytest.fixture
def complete(settings: Settings) -> Settings:
    """Services as they should be."""
    for name, value in {
        "CLARION_SERVICES": True, "CLARION_SECRET_KEY_GIVEN": True, "SECRET_KEY": f"s{LONG}",
        "CLARION_TOKEN_KEY": f"t{LONG}", "CLARION_DEMO": False, "CLARION_HTTPS": True,
        "ALLOWED_HOSTS": ["clarion.example.com"], "CSRF_TRUSTED_ORIGINS": ["https://clarion.example.com"],
        "CELERY_BROKER_URL": "amqp://rabbitmq.example//", "REDIS_URL": "redis://redis.example/0",
        "SESSION_COOKIE_SECURE": True, "CSRF_COOKIE_SECURE": True, "SECURE_HSTS_SECONDS": 3600,
        "SECURE_SSL_REDIRECT": True, "DEBUG": False,
    }.items():  # fmt: skip
        setattr(settings, name, value)
    return settings


def test_it_says_which_of_the_two_ways_it_is() -> None:
    assert lines(configuration.Mode(), services=True) == ["ok: services: PostgreSQL, Redis and a broker"]
    assert "DATABASE_URL is not set" in lines(configuration.Mode(), services=False)[0]


@pytest.mark.usefixtures("complete")
def test_a_complete_set_is_fine() -> None:
    (found,) = looked(configuration.SystemChecks(), services=True)
    assert (found.level, found.text) == (Level.OK, "Django's and Clarion's checks find nothing")


def test_an_error_fails_with_what_to_set_and_a_short_secret_is_not_repeated(complete: Settings) -> None:
    complete.REDIS_URL, complete.CLARION_TOKEN_KEY = "", SECRET[:20]
    found = {each.text: each for each in looked(configuration.SystemChecks(), services=True)}
    missing = found["REDIS_URL is not set (clarion.E006)"]
    assert missing.level is Level.FAIL
    assert missing.advice.startswith("set it, such as: redis://")
    assert any("CLARION_TOKEN_KEY has 20 characters" in text for text in found)
    assert SECRET[:20] not in str(found)


def test_plain_http_is_told_once_and_by_our_variable(complete: Settings) -> None:
    complete.CLARION_HTTPS = complete.SESSION_COOKIE_SECURE = complete.CSRF_COOKIE_SECURE = False
    complete.SECURE_HSTS_SECONDS, complete.SECURE_SSL_REDIRECT = 0, False
    (found,) = looked(configuration.SystemChecks(), services=True)
    assert found.level is Level.WARN
    assert "CLARION_HTTPS=0" in found.text
    assert "CLARION_HTTPS=1" in found.advice


def test_django_s_own_settings_are_told_by_the_variable_behind_them(complete: Settings) -> None:
    complete.SECURE_SSL_REDIRECT = False
    (found,) = looked(configuration.SystemChecks(), services=True)
    assert "security.W008" in found.text
    assert "CLARION_BEHIND_PROXY=1" in found.advice


def test_embedded_is_not_asked_for_https(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def run_checks(*, include_deployment_checks: bool) -> list[checks.CheckMessage]:
        asked.append(include_deployment_checks)
        return []

    monkeypatch.setattr(configuration.checks, "run_checks", run_checks)
    assert lines(configuration.SystemChecks(), services=False)[0].startswith("ok: ")
    assert asked == [False]


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, Level.OK),
        ({"CLARION_TOKEN_KEY": "short"}, Level.FAIL),
        ({"CLARION_TOKEN_KEY": f"s{LONG}"}, Level.FAIL),
    ],
)
def test_two_long_secrets_are_asked_for(complete: Settings, changes: dict[str, Any], level: Level) -> None:
    for name, value in changes.items():
        setattr(complete, name, value)
    (found,) = looked(configuration.Secrets(), services=True)
    assert found.level is level
    assert LONG not in found.text + found.advice


def test_a_file_of_secrets_that_others_may_read_fails(settings: Settings, tmp_path: Path) -> None:
    settings.CLARION_DATA, file = tmp_path, tmp_path / "secrets.json"
    assert looked(configuration.Secrets(), services=False)[0].level is Level.FAIL
    file.write_text(SECRET)
    file.chmod(0o640)
    (found,) = looked(configuration.Secrets(), services=False)
    assert (found.level, found.advice) == (Level.FAIL, f"chmod 600 {file}")
    file.chmod(0o600)
    (found,) = looked(configuration.Secrets(), services=False)
    assert found.level is Level.OK
    assert SECRET not in found.text


@pytest.mark.usefixtures("complete")
def test_hosts_that_fit_are_fine_and_without_an_address_it_says_what_it_did_not_see() -> None:
    found = lines(configuration.Hosts(), services=True)
    assert found[0].startswith("ok: clarion.example.com; console at https://clarion.example.com")
    assert found[1].startswith("not_run: ")
    assert len(lines(configuration.Hosts(), services=True, url="https://clarion.example.com")) == 1


@pytest.mark.parametrize(
    ("changes", "url", "said"),
    [
        ({"ALLOWED_HOSTS": ["*"]}, "", "warn: CLARION_ALLOWED_HOSTS has a *"),
        (
            {"CSRF_TRUSTED_ORIGINS": ["http://clarion.example.com"]},
            "",
            "warn: CLARION_CSRF_TRUSTED_ORIGINS has http:",
        ),
        (
            {"CSRF_TRUSTED_ORIGINS": ["https://console.example"]},
            "",
            "fail: the console's origin https://console.",
        ),
        ({}, "https://play.example", "fail: play.example is none of CLARION_ALLOWED_HOSTS"),
    ],
)
def test_hosts_that_do_not_fit_are_named(
    complete: Settings, changes: dict[str, Any], url: str, said: str
) -> None:
    for name, value in changes.items():
        setattr(complete, name, value)
    assert any(each.startswith(said) for each in lines(configuration.Hosts(), services=True, url=url))


def test_an_open_demo_is_a_warning(complete: Settings) -> None:
    assert lines(configuration.Demo(), services=True) == ["ok: the demo is closed"]
    complete.CLARION_DEMO = True
    assert lines(configuration.Demo(), services=True)[0].startswith("warn: CLARION_DEMO=1")


@pytest.mark.parametrize(
    ("told", "level"),
    [
        ("7.0.15", Level.OK),
        ("8.2", Level.OK),
        ("6.2.7", Level.FAIL),
        ("", Level.WARN),
        ("3.10.0", Level.FAIL),
    ],
)
def test_a_server_that_is_too_old_fails_and_one_that_does_not_say_is_a_warning(
    told: str, level: Level
) -> None:
    assert versions.server("Redis", told, (7,)).level is level


def test_the_runtime_that_these_tests_run_on_is_supported() -> None:
    assert {each.level for each in looked(versions.Python())} == {Level.OK}


def test_packages_that_differ_from_the_lock_are_named(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    assert looked(versions.Packages())[0].level is Level.WARN
    here = metadata.version("pytest")
    locked = tmp_path / "requirements.txt"
    locked.write_text(f"pytest=={here} \\\n    --hash=sha256:00\nnever ; python_version < '3'\n")
    assert looked(versions.Packages())[0].level is Level.OK
    locked.write_text("pytest==0.0.1 \\\n    --hash=sha256:00\nclarion-has-no-such-package==1.0\n")
    (found,) = looked(versions.Packages())
    assert found.level is Level.WARN
    assert "clarion-has-no-such-package is missing" in found.text
    assert f"pytest {here} instead of 0.0.1" in found.text
