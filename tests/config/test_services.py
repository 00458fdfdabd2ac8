"""Services mode refuses to start half configured, and names what is missing."""

import subprocess

import pytest

from tests.config.processes import MANAGE, finished

COMPLETE = {
    "DATABASE_URL": "postgres://clarion@db.example/clarion?sslmode=require",
    "REDIS_URL": "redis://redis.example/0",
    "CELERY_BROKER_URL": "amqp://rabbitmq.example//",
    "SECRET_KEY": "s" * 20 + "-and-more-of-it-that-is-not-repeated-0123456789",
    "CLARION_TOKEN_KEY": "t" * 20 + "-and-more-of-it-that-is-not-repeated-0123456789",
    "CLARION_ALLOWED_HOSTS": "clarion.example.com",
    "CLARION_CSRF_TRUSTED_ORIGINS": "https://clarion.example.com",
}


def check(*options: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return finished(MANAGE, "check", *options, **(COMPLETE | changes))


def setting(expression: str, **changes: str) -> str:
    """Evaluate something of the settings in a process of its own."""
    code = f"from django.conf import settings as s; print({expression})"
    return finished(
        "-c", code, DJANGO_SETTINGS_MODULE="config.settings", **(COMPLETE | changes)
    ).stdout.strip()


def test_a_complete_set_passes_djangos_own_deployment_checks() -> None:
    result = check("--deploy", "--fail-level", "ERROR", CLARION_BEHIND_PROXY="1")
    assert result.returncode == 0, result.stderr
    assert "security." not in result.stderr.replace("security.W005", "").replace("security.W021", "")


@pytest.mark.parametrize("name", sorted(set(COMPLETE) - {"DATABASE_URL"}))
def test_each_missing_variable_is_named_with_an_example(name: str) -> None:
    result = check(**{name: ""})
    assert result.returncode == 1
    assert f"{name} is not set" in result.stderr
    assert "such as: " in result.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SECRET_KEY": "short"}, "SECRET_KEY has 5 characters"),
        ({"CLARION_TOKEN_KEY": COMPLETE["SECRET_KEY"]}, "the same as SECRET_KEY"),
        ({"REDIS_URL": "http://user:hunter2@redis.example"}, "REDIS_URL begins with 'http'"),
        (
            {"CELERY_BROKER_URL": "kafka://user:hunter2@kafka.example"},
            "CELERY_BROKER_URL begins with 'kafka'",
        ),
        ({"DATABASE_URL": "mysql://user:hunter2@db.example/x"}, "services mode runs on PostgreSQL"),
        ({"CLARION_CSRF_TRUSTED_ORIGINS": "clarion.example.com"}, "must start with a scheme"),
    ],
)
def test_what_is_wrong_is_told_without_the_password_in_it(changes: dict[str, str], said: str) -> None:
    result = check(**changes)
    assert result.returncode == 1
    assert said in result.stderr
    assert "hunter2" not in result.stderr + result.stdout


def test_the_web_server_says_the_same_before_it_listens() -> None:
    result = finished("-c", "import config.asgi", **(COMPLETE | {"REDIS_URL": ""}))
    assert result.returncode == 1
    assert "cannot start" in result.stderr
    assert "REDIS_URL is not set" in result.stderr


def test_web_processes_have_a_pool_and_workers_have_none() -> None:
    pool = "s.DATABASES['default']['OPTIONS'].get('pool')"
    assert "max_size" in setting(pool, CLARION_ROLE="web")
    assert setting(pool, CLARION_ROLE="worker") == "None"


def test_the_database_urls_own_options_are_kept() -> None:
    assert setting("s.DATABASES['default']['OPTIONS']['sslmode']") == "require"


def test_a_prefix_reaches_the_broker_while_tasks_say_plain_queue_names() -> None:
    code = (
        "import django; django.setup(); from celery import current_app as app\n"
        "print(app.amqp.queues['urgent'].name, app.amqp.queues['default'].name)"
    )
    result = finished(
        "-c", code, DJANGO_SETTINGS_MODULE="config.settings", **COMPLETE, CLARION_PREFIX="blue-"
    )
    assert result.stdout.split() == ["blue-urgent", "blue-default"]
