"""Alarms leave the console: is anybody told, and does it arrive."""

from collections.abc import Iterator

from django.conf import settings
from django.core import mail

from config.doctor.check import Check, Target
from config.doctor.finding import Finding, fail, ok, warn
from config.doctor.reasons import reason
from config.watch import telling
from events.models import AlarmRecipient


class Recipients(Check):
    """Whether somebody is told of critical alarms."""

    name = "alarms.recipients"
    needs = ("database.migrations",)

    def look(self, target: Target) -> Iterator[Finding]:
        """Look at those who are enabled, and at what came of the last tries. Addresses are not shown."""
        found = telling.recipients()
        if not any(not each.games.all() for each in found):
            yield warn(
                "nobody is told of alarms of all games: they show in the console only",
                "add a recipient in the console (Recipients): a signed webhook, or an e-mail address",
                recipients=len(found),
            )
        failing = [each for each in found if each.failing]
        for each in failing:
            yield warn(
                f"alarms have not reached {each.name} since {each.failing:%Y-%m-%d %H:%M} UTC: {each.error}",
                "correct its address, then send a test message from its page in the console",
            )
        for each in found:
            if each.channel == AlarmRecipient.Channel.EMAIL and not settings.CLARION_EMAIL:
                yield fail(
                    f"{each.name} is told by e-mail, and EMAIL_URL is not set",
                    "set EMAIL_URL and CLARION_EMAIL_FROM, or give it a webhook",
                )
        if found and not failing:
            yield ok(f"{len(found)} recipients are told of alarms", recipients=len(found))


class Mail(Check):
    """Whether the mail server lets us in."""

    name = "alarms.mail"
    patience_s = 15.0

    def look(self, target: Target) -> Iterator[Finding]:
        """Log in and out; nothing is sent."""
        if not settings.CLARION_EMAIL:
            yield ok("no mail server is configured")
            return
        try:
            connection = mail.get_connection(timeout=5)
            connection.open()
            connection.close()
        except OSError as error:  # smtplib's faults are of this kind too
            yield fail(
                f"the mail server cannot be reached: {reason(error)}", "correct EMAIL_URL, or start it"
            )
        else:
            yield ok("the mail server lets us in")


class Console(Check):
    """Whether what is sent leads back to the console."""

    name = "alarms.links"
    needs = ("database.migrations",)

    def look(self, target: Target) -> Iterator[Finding]:
        """Look at the setting, where anything is sent at all."""
        if settings.CLARION_CONSOLE_URL:
            yield ok(f"alarms lead to {settings.CLARION_CONSOLE_URL}")
        elif AlarmRecipient.objects.filter(enabled=True).exists():
            yield warn(
                "alarms that are sent name paths only",
                "set CLARION_CONSOLE_URL to where staff open the console",
            )
        else:
            yield ok("nothing is sent that could lead to the console")
