"""Which addresses a webhook may reach: public ones by https, and private networks that a setting names.

Whoever may enter an address in the console could otherwise read what only this machine or its
network can reach: metadata services, databases, other people's consoles.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx
from django.conf import settings

URL_MAX = 2_000  # characters
SCHEMES = ("http", "https")
PORT_MAX = 65_535
_UNICAST = IPv6Network("2000::/3")
_6TO4 = IPv6Network("2002::/16")  # carries an IPv4 address that nobody here would look at

IP = IPv4Address | IPv6Address


class AddressRefused(ValueError):
    """A webhook must not go there. The text says why, and what would do; it repeats no path or query."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A checked address: where to connect, whatever the name says a moment later."""

    url: httpx.URL
    ips: tuple[IP, ...]  # in the order of the resolver, at least one

    @property
    def name(self) -> str:
        """What the certificate must be for."""
        return _ascii(self.url)

    def at(self, ip: IP) -> httpx.URL:
        """Return the same URL, with the address instead of the name."""
        return self.url.copy_with(host=str(ip))


def check_url(text: str) -> httpx.URL:
    """Return a URL that is one by its looks; names are resolved only when it is called.

    Raises:
        AddressRefused: it is none, or says at first sight that it leads inside.
    """
    try:
        url = httpx.URL(text.strip()) if len(text) <= URL_MAX else None
    except httpx.InvalidURL:
        url = None
    if url is None or url.scheme not in SCHEMES or not url.host or not 0 < (url.port or 443) <= PORT_MAX:
        raise AddressRefused("this is no web address; it takes a whole one, as in https://game.example/hooks")
    if url.userinfo or url.fragment:
        raise AddressRefused("it must hold no user, password or fragment: the signature says who calls")
    ip = _ip(url.host)
    if ip is not None:
        check_ip(url, ip)
    elif url.scheme == "http" and not settings.CLARION_WEBHOOK_NETWORKS:
        raise AddressRefused(_PLAIN)
    return url


def check_ip(url: httpx.URL, ip: IP) -> None:
    """Check the address that a URL's name stands for.

    Raises:
        AddressRefused: it is not public, and in none of the networks that the settings allow.
    """
    if any(ip in network for network in settings.CLARION_WEBHOOK_NETWORKS):
        return
    if not is_public(ip):
        raise AddressRefused(
            f"{url.host} stands for {ip}, which is not on the public Internet; CLARION_WEBHOOK_NETWORKS may"
            " allow its network"
        )
    if url.scheme == "http":
        raise AddressRefused(_PLAIN)


_PLAIN = "it takes https: what is sent is about players; http only into networks of CLARION_WEBHOOK_NETWORKS"


def is_public(ip: IP) -> bool:
    """Tell whether an address is anybody's on the Internet, and not ours, nor a tunnel to us."""
    if ip.is_multicast or not ip.is_global:
        return False
    return isinstance(ip, IPv4Address) or (ip in _UNICAST and ip not in _6TO4)


def resolve(url: httpx.URL) -> Target:
    """Look a URL's name up and check every address of it.

    One that is refused refuses them all: a name that is half inside is a trick or a mistake.

    Raises:
        AddressRefused: see ``check_ip``.
        OSError: the name cannot be resolved now.
    """
    port = url.port or (443 if url.scheme == "https" else 80)
    found = socket.getaddrinfo(_ascii(url), port, type=socket.SOCK_STREAM)
    return Target(url=url, ips=_checked(url, [str(row[4][0]) for row in found]))


def _ascii(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").strip("[]")


def _checked(url: httpx.URL, addresses: Sequence[str]) -> tuple[IP, ...]:
    ips = tuple(dict.fromkeys(ip for each in addresses if (ip := _ip(each)) is not None))
    if not ips:
        raise OSError(f"{url.host} has no address")
    for ip in ips:
        check_ip(url, ip)
    return ips


def _ip(text: str) -> IP | None:
    """Return an address; an IPv4 one in IPv6's clothes as what it is."""
    try:
        ip = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip
