"""Settings: what Django's and Clarion's own checks say, and what only somebody outside notices."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.http.request import validate_host

from config.doctor.check import SERVICES, Check, Target
from config.doctor.finding import WITH_URL, Finding, fail, not_run, ok, warn

CHOSEN = frozenset({"security.W005", "security.W021"})
"""HSTS for subdomains and preloading: decided in the settings, since the host may be one of many below its domain."""
PLAIN_HTTP = frozenset({"security.W004", "security.W008", "security.W012", "security.W016"})
"""All of them follow from CLARION_HTTPS=0, and are told as one."""
OURS = {
    "security.W008": "set CLARION_BEHIND_PROXY=1, when the proxy sets X-Forwarded-Proto and -Host itself",
    "security.W009": "set SECRET_KEY to the output of: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
}
"""Django's deployment checks name its own settings; these are the variables behind them."""
TOLD_ELSEWHERE = frozenset({"clarion.W001", "drf_spectacular.W001", "drf_spectacular.W002"})
"""Static files have a check of their own; about the API's documentation an operator can do nothing."""


class Mode(Check):
    """Says which of the two ways this is: the commonest mistake is a forgotten DATABASE_URL."""

    name = "settings.mode"

    def look(self, target: Target) -> Iterator[Finding]:
        """Say it."""
        if target.services:
            yield ok("services: PostgreSQL, Redis and a broker")
        else:
            yield ok(f"embedded: DATABASE_URL is not set, the data is in {settings.CLARION_DATA}")


class SystemChecks(Check):
    """Runs Django's checks, those for deployments too, and with them Clarion's own."""

    name = "settings.checks"
    patience_s = 30.0

    def look(self, target: Target) -> Iterator[Finding]:
        """Turn each message into a finding. Embedded listens on this machine only: no https there."""
        plain = target.services and not settings.CLARION_HTTPS
        left_out = CHOSEN | TOLD_ELSEWHERE | (PLAIN_HTTP if plain else frozenset())
        found = [
            each
            for each in checks.run_checks(include_deployment_checks=target.services)
            if not each.is_silenced() and each.id not in left_out
        ]
        if plain:
            yield warn(
                "CLARION_HTTPS=0: log-ins and tokens travel over plain http",
                "set CLARION_HTTPS=1, with https in front of it",
            )
        for each in found:
            say = fail if each.is_serious() else warn
            yield say(f"{_first(each.msg)} ({each.id})", OURS.get(each.id or "", "") or _advice(each))
        if not found and not plain:
            yield ok("Django's and Clarion's checks find nothing")


class Secrets(Check):
    """Looks at where the embedded mode keeps its secrets; on services they are in the environment."""

    name = "settings.secrets"

    def look(self, target: Target) -> Iterator[Finding]:
        """Ask for a file that only its owner reads."""
        if target.services:
            yield (
                ok("SECRET_KEY and CLARION_TOKEN_KEY are two, and long enough")
                if _two()
                else fail(
                    "SECRET_KEY or CLARION_TOKEN_KEY is missing, too short, or both are the same",
                    "set both, to two different random texts of at least 32 characters",
                )
            )
            return
        file = settings.CLARION_DATA / "secrets.json"
        if not file.exists():
            yield fail(f"{file} is not there", "start Clarion once: manage.py up; it makes the file")
        elif file.stat().st_mode & 0o077:
            yield fail(f"others may read {file}", f"chmod 600 {file}")
        else:
            yield ok("secrets.json is there, and only its owner reads it")


class Hosts(Check):
    """Looks at who is answered."""

    name = "settings.hosts"
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Compare hosts and origins with each other, and with the address that was given."""
        problems = [*_of_hosts(), *_of_origins(), *_of_url(target.url)]
        yield from problems
        if not problems:
            yield ok(
                f"{', '.join(settings.ALLOWED_HOSTS)}; console at {', '.join(settings.CSRF_TRUSTED_ORIGINS)}"
            )
        if not target.url:
            yield not_run("whether the address that players use is among them", WITH_URL)


class Demo(Check):
    """Looks whether the demo is open."""

    name = "settings.demo"
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Warn of it: it is meant for showing."""
        if settings.CLARION_DEMO:
            yield warn(
                "CLARION_DEMO=1: /play/ hands out tokens of the demo's players to whoever asks",
                "unset CLARION_DEMO where players of flesh and blood are served",
            )
        else:
            yield ok("the demo is closed")


def _two() -> bool:
    keys = (settings.SECRET_KEY, settings.CLARION_TOKEN_KEY)
    return keys[0] != keys[1] and all(len(key) >= 32 for key in keys)  # noqa: PLR2004 - as config.checks


def _first(text: str) -> str:
    """Return the first sentence: Django's go on with an essay."""
    return " ".join(text.split()).partition(". ")[0].rstrip(".")


def _advice(each: checks.CheckMessage) -> str:
    return " ".join(each.hint.split()) if each.hint else "run manage.py check --deploy for all of it"


def _of_hosts() -> Iterator[Finding]:
    if "*" in settings.ALLOWED_HOSTS:
        yield warn(
            "CLARION_ALLOWED_HOSTS has a *: every Host header is believed",
            "name the hosts, such as clarion.example.com",
        )


def _of_origins() -> Iterator[Finding]:
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        parts = urlsplit(origin)
        if settings.CLARION_HTTPS and parts.scheme == "http":
            yield warn(
                f"CLARION_CSRF_TRUSTED_ORIGINS has {origin}, and CLARION_HTTPS is 1: nobody can log in there",
                f"write https://{parts.netloc}, or set CLARION_HTTPS=0 behind plain http",
            )
        if parts.hostname and not _allowed(parts.hostname):
            yield fail(
                f"the console's origin {origin} is none of CLARION_ALLOWED_HOSTS",
                f"add {parts.hostname} to CLARION_ALLOWED_HOSTS",
            )


def _of_url(url: str) -> Iterator[Finding]:
    host = urlsplit(url).hostname
    if host and not _allowed(host):
        yield fail(
            f"{host} is none of CLARION_ALLOWED_HOSTS: everything there is answered with 400",
            f"add {host} to CLARION_ALLOWED_HOSTS",
        )


def _allowed(host: str) -> bool:
    return validate_host(host.strip("*."), settings.ALLOWED_HOSTS)
