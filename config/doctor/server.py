"""The server at its own address: alive, ready, on time, with its pages and their files."""

import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from config.doctor.check import Check, Target
from config.doctor.clocks import judged
from config.doctor.finding import WITH_URL, Finding, fail, not_run, ok, warn
from config.doctor.reasons import reason
from config.watch.rules.machinery import outside

TIMEOUT_S = 5.0
CERTIFICATE_DAYS = 14
ALIVE = "server.alive"
STYLE = re.compile(r'href="(/[^"]+\.css)"')


class Address(Check):
    """Whether there is an address, and how good its certificate is."""

    name = "server.address"

    def look(self, target: Target) -> Iterator[Finding]:
        """Look at the certificate; on plain http say so."""
        parts = urlsplit(target.url)
        if not target.url:
            yield not_run("nothing was asked of a running server", WITH_URL)
        elif parts.scheme == "https":
            yield _certificate(parts.hostname or "", parts.port or 443)
        elif target.services and not _is_here(parts.hostname or ""):
            yield warn(
                "plain http: keys and tokens can be read on the way",
                "give it https, and --url the https address",
            )
        else:
            yield ok("plain http, on this machine")


class Alive(Check):
    """Whether it answers at all."""

    name = ALIVE
    only_with_url = True
    patience_s = 15.0

    def look(self, target: Target) -> Iterator[Finding]:
        """Ask ``/healthz``."""
        try:
            answer = _get(target, "/healthz")
        except httpx.HTTPError as error:
            yield fail(
                f"{target.url} cannot be reached: {reason(error)}",
                "start web and the proxy, or correct --url",
            )
            return
        took = round(answer.elapsed.total_seconds() * 1000, 1)
        if answer.status_code == httpx.codes.OK and answer.text.startswith('{"status"'):
            yield ok(f"it lives, and answers after {took:.0f} ms", answered_ms=took)
        else:
            yield fail(
                f"/healthz is answered with {answer.status_code}, not as Clarion answers it",
                "forward it to the web processes, or correct --url",
            )


class Ready(Check):
    """What it says of its dependencies."""

    name = "server.ready"
    only_with_url = True
    needs = (ALIVE,)
    patience_s = 15.0

    def look(self, target: Target) -> Iterator[Finding]:
        """Ask ``/readyz``; a proxy that keeps it inside does right."""
        answer = _get(target, "/readyz")
        try:
            said = answer.json()
            status, dependencies, breakers = said["status"], said["dependencies"], said["breakers"]
        except (ValueError, KeyError, TypeError):
            yield not_run(
                f"/readyz is not forwarded ({answer.status_code}), which is well for an address that everybody knows",
                "for this check give --url an address inside your network",
            )
            return
        away = [f"{name}: {state}" for name, state in dependencies.items() if state != "ok"]
        away += [
            f"{name}: breaker {each['state']}" for name, each in breakers.items() if each["state"] != "closed"
        ]
        if away:
            say = warn if status == "degraded" else fail
            yield say(
                f"it is {status}: {', '.join(away)}", "docs/runbook.md has an entry for each that is away"
            )
        elif status == "ok":
            yield ok(f"it is ready: {', '.join(dependencies)}")
        else:
            yield warn(f"it is {status}", "run it again when the process that is ending has been replaced")


class Clock(Check):
    """The server's clock, as its Date header tells it."""

    name = "server.clock"
    only_with_url = True
    needs = (ALIVE,)
    patience_s = 15.0

    def look(self, target: Target) -> Iterator[Finding]:
        """Compare; a second is as exactly as the header tells."""
        before = datetime.now(UTC)
        told = _get(target, "/healthz").headers.get("date")
        after = datetime.now(UTC)
        if told is None:
            yield not_run("it sends no Date header; road.event compares clocks over the socket")
            return
        theirs = parsedate_to_datetime(told)  # the second that has begun then
        skew = outside(theirs, before - timedelta(seconds=1), after)
        yield judged(f"the server at {target.url}", skew, doubt_s=1.0)


class Pages(Check):
    """Whether the console's page and its files, and the players' script, are served."""

    name = "server.pages"
    only_with_url = True
    needs = (ALIVE,)
    patience_s = 25.0

    def look(self, target: Target) -> Iterator[Finding]:
        """Open the log-in page, one of its styles, and the JavaScript client."""
        page = _get(target, "/admin/login/")
        if page.status_code != httpx.codes.OK:
            advice = {
                400: "add its host to CLARION_ALLOWED_HOSTS",
                301: "let the proxy set X-Forwarded-Proto, and set CLARION_BEHIND_PROXY=1",
            }.get(
                page.status_code,
                "look at the web processes' logs; a console that is kept inside needs another --url",
            )
            yield warn(f"the console's log-in page is answered with {page.status_code}", advice)
            return
        styles = STYLE.findall(page.text)
        broken = [path for path in (*styles[:1], "/static/clarion/clarion.js") if not _served(target, path)]
        if broken or not styles:
            yield fail(
                f"not served: {', '.join(broken) or 'the styles of the console'}",
                "manage.py collectstatic --noinput, then restart web; let the proxy forward /static/",
            )
        else:
            yield ok("the console's page, its style and the JavaScript client are served")


def _get(target: Target, path: str) -> httpx.Response:
    return httpx.get(target.url + path, timeout=TIMEOUT_S)


def _served(target: Target, path: str) -> bool:
    return _get(target, path).status_code == httpx.codes.OK


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _certificate(host: str, port: int) -> Finding:
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            found = secure.getpeercert() or {}
    except OSError as error:  # ssl's faults are of this kind too
        return fail(
            f"https to {host} fails: {reason(error)}", "renew or install its certificate, or correct --url"
        )
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC)
    days = (ends - datetime.now(UTC)).days
    if days < CERTIFICATE_DAYS:
        return warn(f"the certificate of {host} ends in {days} days", "renew it", days_left=days)
    return ok(f"https, with a certificate that is good for {days} days", days_left=days)
