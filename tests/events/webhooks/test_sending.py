"""One try against a real server, however it behaves."""

import datetime as dt
import socket
import ssl
import time
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from events.webhooks import Verdict, new_salt, post, secret_of, shown, sign
from events.webhooks import sending as module
from tests.events.webhooks.receiver import Receiver, receiving

pytestmark = pytest.mark.usefixtures("inside")
BODY = '{"title":"Привет"}'.encode()


def test_a_signed_call_arrives_as_it_was_signed(receiver: Receiver) -> None:
    secret = secret_of(new_salt())
    headers = sign([secret], id="n1:webhook", at=dt.datetime.now(dt.UTC), body=BODY)
    answer = post(receiver.url, BODY, headers)
    assert (answer.verdict, answer.status, answer.error) == (Verdict.DELIVERED, 200, "")
    assert answer.excerpt == "thanks"
    (call,) = receiver.calls
    assert call.body == BODY
    assert call.path == "/hooks?game=1"
    assert call.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["webhook-id"] == "n1:webhook"
    assert call.fits(shown(secret))


@pytest.mark.parametrize(("status", "verdict"), [(500, "transient"), (503, "transient"), (410, "permanent")])
def test_a_refusal_is_judged(receiver: Receiver, status: int, verdict: str) -> None:
    receiver.status = status
    answer = post(receiver.url, BODY, {})
    assert (answer.verdict, answer.status) == (verdict, status)


def test_retry_after_is_told(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": "17"}
    assert post(receiver.url, BODY, {}).retry_after_s == 17


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_whoever_never_answers_costs_the_deadline_and_no_more(receiver: Receiver, how: str) -> None:
    receiver.status = how
    began = time.monotonic()
    answer = post(receiver.url, BODY, {}, deadline_s=0.5)
    assert (answer.verdict, answer.error) == (Verdict.TRANSIENT, "timeout")
    assert time.monotonic() - began < 10


def test_a_dropped_connection_is_transient(receiver: Receiver) -> None:
    receiver.status = "drop"
    answer = post(receiver.url, BODY, {})
    assert (answer.verdict, answer.error, answer.status) == (Verdict.TRANSIENT, "connection lost", None)


def test_a_closed_port_is_transient() -> None:
    with receiving() as gone:
        url = gone.url
    assert post(url, BODY, {}).error == "not connected"
    assert post(url, BODY, {}).verdict is Verdict.TRANSIENT


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    with receiving() as other:
        receiver.status, receiver.headers = 302, {"Location": other.url}
        assert post(receiver.url, BODY, {}).verdict is Verdict.PERMANENT
        assert other.calls == []


def test_a_long_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    receiver.answer = b"x" * 50_000_000
    answer = post(receiver.url, BODY, {})
    assert answer.verdict is Verdict.DELIVERED
    assert len(answer.excerpt) == module.EXCERPT_BYTES


def test_a_proxy_of_the_environment_is_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert post(receiver.url, BODY, {}).verdict is Verdict.DELIVERED
        assert proxy.calls == []


def test_a_name_that_nobody_knows_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    answer = post("https://hooks.example/", BODY, {})
    assert (answer.verdict, answer.error) == (Verdict.TRANSIENT, "name not found")


def test_the_call_goes_to_the_address_that_was_checked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is asked once: what it stands for a moment later leads nowhere."""
    real, asked = socket.getaddrinfo, []

    def rebound(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "hooks.example":
            asked.append(host)
            return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port, *args, **kwargs)
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    answer = post(f"http://hooks.example:{receiver.port}/", BODY, {})
    assert answer.verdict is Verdict.DELIVERED
    assert asked == ["hooks.example"]
    assert receiver.calls[0].headers["host"] == f"hooks.example:{receiver.port}"


def test_the_next_address_is_tried_when_the_first_takes_no_connection(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def two(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "hooks.example":
            return real(host, port, *args, **kwargs)
        return [*real("127.0.0.3", port, *args, **kwargs), *real("127.0.0.1", port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    assert post(f"http://hooks.example:{receiver.port}/", BODY, {}).verdict is Verdict.DELIVERED


def test_the_certificate_must_be_for_the_name_and_by_somebody_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CLARION_WEBHOOK_NETWORKS = (ip_network("127.0.0.0/8"),)
    server, trusting = certified(tmp_path, "hooks.example")
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _host, *args, **kwargs: real("127.0.0.1", *args, **kwargs)
    )
    with receiving(server) as receiver:
        assert post(f"https://hooks.example:{receiver.port}/", BODY, {}).error == "certificate"
        monkeypatch.setattr(module, "_trusted", lambda: trusting)
        assert post(f"https://hooks.example:{receiver.port}/", BODY, {}).verdict is Verdict.DELIVERED
        assert post(f"https://other.example:{receiver.port}/", BODY, {}).error == "certificate"
        assert len(receiver.calls) == 1


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's context with a certificate for a name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "certificate.pem").write_bytes(certificate + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "certificate.pem")
    return server, ssl.create_default_context(cadata=certificate.decode())
