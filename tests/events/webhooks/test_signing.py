"""Signatures that any library of Standard Webhooks takes."""

from datetime import UTC, datetime

from events.webhooks import new_salt, secret_of, shown, sign
from tests.events.webhooks.receiver import Call

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)


def a_call(*secrets: bytes, body: bytes = b'{"a":1}', sent: bytes | None = None) -> Call:
    return Call("/", sign(secrets, id="msg_1", at=AT, body=body), body if sent is None else sent)


def test_the_published_example_is_reproduced() -> None:
    """Of the specification: the secret, id, time, body and signature that its libraries test with."""
    import base64  # noqa: PLC0415 - only here

    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    headers = sign(
        [secret], id="msg_p5jXN8AQM9LWM0D4loKWxJek", at=datetime.fromtimestamp(1614265330, UTC), body=body
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_receiver_s_secret_verifies_what_was_signed() -> None:
    secret = secret_of(new_salt())
    assert a_call(secret).fits(shown(secret))


def test_another_body_id_or_secret_does_not_fit() -> None:
    secret = secret_of(new_salt())
    assert not a_call(secret, sent=b'{"a":2}').fits(shown(secret))
    assert not a_call(secret).fits(shown(secret_of(new_salt())))


def test_two_secrets_are_both_accepted_while_one_follows_the_other() -> None:
    old, new = secret_of(new_salt()), secret_of(new_salt())
    call = a_call(new, old)
    assert call.fits(shown(old))
    assert call.fits(shown(new))


def test_the_database_alone_cannot_sign(settings: object) -> None:
    salt = new_salt()
    before = secret_of(salt)
    settings.CLARION_TOKEN_KEY = "another key of tests, long enough"  # type: ignore[attr-defined]
    assert secret_of(salt) != before
    assert salt not in before
