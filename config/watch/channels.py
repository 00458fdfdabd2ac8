"""The two ways out. Neither needs the broker; each makes one try and never raises for what others do."""

import smtplib
from collections.abc import Callable
from datetime import datetime
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage

from config.watch.messages import Message
from events.models import AlarmRecipient
from events.webhooks import Answer, Verdict, post, secret_of, sign

PERMANENT = 500
"""SMTP's replies from here on stand until somebody mends something."""


def send(recipient: AlarmRecipient, message: Message, now: datetime) -> Answer:
    """Make one try to tell somebody, outside of any transaction."""
    return _WAYS[AlarmRecipient.Channel(recipient.channel)](recipient, message, now)


def secret(recipient: AlarmRecipient) -> bytes:
    """Return what a webhook's calls are signed with."""
    return secret_of(bytes(recipient.salt))


def _webhook(recipient: AlarmRecipient, message: Message, now: datetime) -> Answer:
    body = message.body()
    return post(recipient.address, body, sign([secret(recipient)], id=message.id, at=now, body=body))


def _email(recipient: AlarmRecipient, message: Message, _now: datetime) -> Answer:
    if not settings.CLARION_EMAIL:
        return _refused("no mail server", "EMAIL_URL is not set, so no e-mail can be sent")
    mail = EmailMessage(
        message.subject,
        message.letter(),
        settings.DEFAULT_FROM_EMAIL,
        [recipient.address],
        headers={"Message-ID": f"<{message.id}@{_domain()}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        return _replied(max(code for code, _ in error.recipients.values()))
    except smtplib.SMTPResponseException as error:
        return _replied(error.smtp_code)
    except (smtplib.SMTPException, OSError) as error:
        named = type(error).__name__
        return Answer(
            verdict=Verdict.TRANSIENT, error="mail server", detail=f"the mail server is not there ({named})"
        )
    return Answer(verdict=Verdict.DELIVERED)


def _domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "clarion"


def _replied(code: int) -> Answer:
    detail = f"the mail server answered {code}"  # its text may repeat the address
    if code >= PERMANENT:
        return _refused(f"smtp {code}", detail)
    return Answer(verdict=Verdict.TRANSIENT, error=f"smtp {code}", detail=detail)


def _refused(error: str, detail: str) -> Answer:
    return Answer(verdict=Verdict.PERMANENT, error=error, detail=detail)


_WAYS: dict[AlarmRecipient.Channel, Callable[[AlarmRecipient, Message, datetime], Answer]] = {
    AlarmRecipient.Channel.WEBHOOK: _webhook,
    AlarmRecipient.Channel.EMAIL: _email,
}
