"""Webhooks lead outside, whatever somebody enters and whatever a name stands for."""

import socket
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from events.webhooks import AddressRefused, Verdict, check_url, post
from events.webhooks.addresses import resolve
from tests.events.webhooks.receiver import Receiver

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::", "fec0::1", "::7f00:1",
]  # fmt: skip
PUBLIC = ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34"]


def standing_for(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name stand for these addresses."""
    found = [
        (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443))
        for each in addresses
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_stands_for_an_address_inside_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    standing_for(monkeypatch, address)
    with pytest.raises(AddressRefused, match="not on the public Internet"):
        resolve(httpx.URL("https://hooks.example/"))


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_inside_is_refused_when_it_is_entered(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(f"https://[{address}]/" if ":" in address else f"https://{address}/")


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_one_is_taken(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    standing_for(monkeypatch, address)
    (ip,) = resolve(httpx.URL("https://hooks.example/")).ips
    assert str(ip) == address.removeprefix("::ffff:")


@pytest.mark.usefixtures("outside")
def test_one_address_inside_refuses_the_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    standing_for(monkeypatch, "93.184.216.34", "127.0.0.1")
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1"):
        resolve(httpx.URL("https://hooks.example/"))


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f.1", "127.1"])
def test_other_spellings_of_this_machine_are_refused_too(name: str) -> None:
    with pytest.raises((AddressRefused, OSError)):
        resolve(check_url(f"https://{name}/"))


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize(
    "url",
    [
        "", "hooks", "/hooks", "ftp://hooks.example/", "file:///etc/passwd", "https://", "http://hooks.example/",
        "https://user:secret@hooks.example/", "https://hooks.example/#a", "https://a\x00b/", "https://[::1", "https://x:99999/",
        "https://hooks.example/" + "x" * 2_000,
    ],
)  # fmt: skip
def test_what_is_no_address_for_a_webhook_is_refused_with_a_reason(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        check_url(url)
    assert "secret" not in str(refused.value)


def test_a_setting_allows_a_network_and_no_other(settings: Any) -> None:
    settings.CLARION_WEBHOOK_NETWORKS = (ip_network("10.1.0.0/16"),)
    assert check_url("http://10.1.2.3:8000/hooks").port == 8000
    with pytest.raises(AddressRefused):
        check_url("http://10.2.0.1/")
    with pytest.raises(AddressRefused, match="https"):
        check_url("http://93.184.216.34/")


@pytest.mark.usefixtures("outside")
def test_nothing_reaches_a_server_of_this_machine(receiver: Receiver) -> None:
    for host in ("127.0.0.1", "localhost"):
        answer = post(f"https://{host}:{receiver.port}/", b"{}", {})
        assert answer.verdict is Verdict.PERMANENT
        assert answer.error == "address refused"
    assert receiver.calls == []
