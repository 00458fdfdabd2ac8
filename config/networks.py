"""Networks that a variable names."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from django.core.exceptions import ImproperlyConfigured


def networks(variable: str, texts: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks that a variable lists.

    Raises:
        ImproperlyConfigured: one is none.
    """
    try:
        return tuple(ip_network(text.strip()) for text in texts if text.strip())
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{variable}: {error}; it takes networks separated by commas, such as 10.1.0.0/16"
        ) from error
