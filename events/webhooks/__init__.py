"""Signed HTTP calls to other people's servers: Standard Webhooks, and nothing that leads back inside.

``sign`` is pure. ``post`` makes one try and never raises because of what the other side does:
its answer says whether to try again. Retries, schedules and rows are the caller's.

    secret = secret_of(salt)                       # the salt is stored, the secret never is
    answer = post(url, body, sign([secret], id=uid, at=now, body=body))
    if answer.verdict is Verdict.TRANSIENT: ...    # again later, with the same id
"""

from events.webhooks.addresses import AddressRefused, check_url
from events.webhooks.answers import Answer, Verdict, retry_after
from events.webhooks.sending import post
from events.webhooks.signing import SALT_BYTES, new_salt, secret_of, shown, sign

__all__ = [
    "SALT_BYTES",
    "AddressRefused",
    "Answer",
    "Verdict",
    "check_url",
    "new_salt",
    "post",
    "retry_after",
    "secret_of",
    "shown",
    "sign",
]
